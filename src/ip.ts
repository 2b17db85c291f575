import ipaddr from 'ipaddr.js'

// What an address of the internet is, for every place where one is compared: keys, proxies, the throttle of wrong keys.

/** Names for ranges, as TRUST_PROXY takes them. */
const named: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1/128'],
  linklocal: ['169.254.0.0/16', 'fe80::/10'],
  uniquelocal: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7']
}
export const rangeNames: readonly string[] = Object.keys(named)

/**
 * An address as a proxy may write it: `192.0.2.1`, `192.0.2.1:51234`, `2001:db8::1`, `[2001:db8::1]:443`. One of IPv4 in
 * the coat of IPv6 is that of IPv4.
 * @returns undefined for what cannot be read, such as `unknown`: it is nobody's address
 */
export function readAddress(text: string | undefined): string | undefined {
  const [, bracketed, dotted, bare] =
    /^(?:\[([0-9a-f:.%\w]{2,64})\](?::\d{1,5})?|(\d{1,3}(?:\.\d{1,3}){3})(?::\d{1,5})?|([0-9a-f:.%\w]{2,64}))$/i.exec(
      text?.trim() ?? ''
    ) ?? []
  const v6 = bracketed ?? bare
  if (dotted !== undefined) return ipaddr.IPv4.isValidFourPartDecimal(dotted) ? dotted : undefined
  return v6 !== undefined && ipaddr.IPv6.isValid(v6) ? ipaddr.process(v6).toString() : undefined
}

/** Whether an address lies in one of the ranges: addresses, CIDR ranges, or one of `rangeNames`. */
export function inRanges(address: string, ranges: readonly string[]): boolean {
  const ip = ipaddr.process(address)
  return ranges
    .flatMap(text => named[text] ?? text)
    .some(text => {
      const [range, bits] = ipaddr.parseCIDR(text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`)
      return ip.kind() === range.kind() && ip.match(range, bits)
    })
}

/**
 * Which of the addresses that a request came through are proxies of ours.
 * @param proxies how many stand before us, or where they are; counted from our own end, since what is before them is
 * written by whoever sends the request
 */
export function trusts(proxies: number | readonly string[]): (address: string, hop: number) => boolean {
  if (typeof proxies === 'number') return (_, hop) => hop < proxies
  return address => {
    const ip = readAddress(address)
    return ip !== undefined && inRanges(ip, proxies)
  }
}
