import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'
import ipaddr from 'ipaddr.js'

/**
 * What an address is to us: `public` is global unicast; `private` is anything else that an operator may open
 * (loopback, RFC 1918, unique local, …); `never` cannot be opened by anyone.
 */
export type AddressClass = 'public' | 'private' | 'never'

/**
 * Ranges that no allow-list opens. Cloud metadata services hand out credentials to whoever asks, so the whole of
 * link-local is closed rather than the one well-known address. Transition forms carry an IPv4 address inside an IPv6
 * one, and only the network knows where such a packet ends; the plain IPv4 spelling can be opened instead.
 */
const NEVER = [
  '169.254.0.0/16', // link-local: AWS, Azure, GCP, OpenStack, DigitalOcean, ECS 169.254.170.2, Tencent 169.254.0.23
  '168.63.129.16/32', // Azure WireServer, a unicast address
  '100.100.100.200/32', // Alibaba Cloud
  '192.0.0.192/32', // Oracle Cloud, classic
  'fe80::/10', // link-local, OpenStack fe80::a9fe:a9fe among it
  'fd00:ec2::/32', // AWS: ::254 metadata, ::23 pod identity
  'fd20:ce::254/128', // GCP
  'fd00:c1::a9fe:a9fe/128', // Oracle Cloud
  'fd00:42::42/128', // Scaleway
  '::ffff:0:0/96', // IPv4-mapped
  '::ffff:0:0:0/96', // IPv4-translated (SIIT)
  '64:ff9b::/96', // NAT64
  '64:ff9b:1::/48', // NAT64, local use
  '2002::/16', // 6to4
  '2001::/32' // Teredo
].map(range => ipaddr.parseCIDR(range))

const LOOPBACK_V6 = ipaddr.parse('::1').toString()
const IPV4_COMPATIBLE = ipaddr.parseCIDR('::/96')
const GLOBAL_UNICAST_V6 = ipaddr.parseCIDR('2000::/3')

function within(address: ipaddr.IPv4 | ipaddr.IPv6, range: [ipaddr.IPv4 | ipaddr.IPv6, number]): boolean {
  return address.kind() === range[0].kind() && address.match(range)
}

/** ISATAP (RFC 5214): an IPv4 address in the interface id of an otherwise ordinary prefix. */
function isIsatap(address: ipaddr.IPv6): boolean {
  const [, , , , high, low] = address.parts
  return (high === 0 || high === 0x200) && low === 0x5efe
}

/**
 * Judges one address as a resolver or a socket spells it: dotted IPv4 or IPv6 without brackets. Anything else
 * (a name, octal or short IPv4, a zone) is `never`: what cannot be read is not connected to.
 */
export function classify(text: string): AddressClass {
  if (isIP(text) === 0 || text.includes('%')) return 'never'
  const address = ipaddr.parse(text)
  if (NEVER.some(range => within(address, range))) return 'never'
  if (address instanceof ipaddr.IPv6) {
    if (address.toString() === LOOPBACK_V6) return 'private'
    // ipaddr.js calls ::7f00:1 and 4000::1 unicast; IANA has given out nothing outside 2000::/3
    if (within(address, IPV4_COMPATIBLE) || isIsatap(address)) return 'never'
    if (!within(address, GLOBAL_UNICAST_V6)) return 'private'
  }
  return address.range() === 'unicast' ? 'public' : 'private'
}

/** Whether two spellings are one address; an IPv4-mapped one (a dual-stack socket's view) equals its IPv4. */
export function sameAddress(one: string, other: string): boolean {
  if (isIP(one) === 0 || isIP(other) === 0) return false
  return ipaddr.process(one).toString() === ipaddr.process(other).toString()
}

/** What the operator opened (`EGRESS_ALLOW`). It never opens an address of class `never`; `classify` comes first. */
export interface AllowList {
  /** Whether this host name, or this address that it leads to, is opened on this port. */
  opens(host: string, address: string, port: number): boolean
  /** Whether `opens` could still say yes once the name is resolved. */
  mayOpen(host: string, port: number): boolean
}

interface Entry {
  name?: string
  range?: [ipaddr.IPv4 | ipaddr.IPv6, number]
  port?: number
}

/**
 * Reads the allow-list. An entry is a CIDR (`10.1.0.0/16`, `fd12::/16`), an address or a host name; an address or a
 * name may carry a port (`n8n.internal:5678`, `[fd12::1]:5678`). Without a port it opens every port, as in NO_PROXY.
 * A name opens just that name, not what is below it, whatever it resolves to (save class `never`).
 * @throws {TypeError} naming the position of an entry that cannot be read or that can never be opened, not its text
 */
export function parseAllowList(entries: readonly string[]): AllowList {
  const parsed = entries.map((entry, index) => parseEntry(entry.trim(), index + 1))
  const onPort = (entry: Entry, port: number) => entry.port === undefined || entry.port === port
  return {
    opens: (host, address, port) =>
      parsed.some(entry => {
        if (!onPort(entry, port)) return false
        if (entry.range === undefined) return entry.name === host
        return isIP(address) !== 0 && within(ipaddr.parse(address), entry.range)
      }),
    mayOpen: (host, port) => parsed.some(entry => onPort(entry, port) && (entry.range || entry.name === host))
  }
}

function parseEntry(text: string, position: number): Entry {
  const fault = (what: string) => new TypeError(`EGRESS_ALLOW entry ${position} ${what}`)
  const unreadable = 'is not a CIDR, an address or a host name, the latter two with an optional port'
  const [, base, bits] = /^(.+)\/(\d{1,3})$/.exec(text) ?? []
  if (base !== undefined && bits !== undefined) {
    const family = isIP(base)
    if (family === 0 || Number(bits) > (family === 4 ? 32 : 128)) throw fault(unreadable)
    return closed({ range: [ipaddr.parse(base), Number(bits)] })
  }
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? []
  const host = isIP(text) === 6 ? text : (bracketed ?? plain)
  const port = isIP(text) === 6 || digits === undefined ? undefined : Number(digits)
  if (host === undefined || (port !== undefined && (port < 1 || port > 65_535))) throw fault(unreadable)
  if (isIP(host) !== 0) return closed({ range: [ipaddr.parse(host), isIP(host) === 4 ? 32 : 128], port })
  // a last label of digits would be read as an IPv4 address by URL, so no host name ends in one
  const name = domainToASCII(host.replace(/\.$/, ''))
  if (bracketed !== undefined || !/^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(name) || /(^|\.)(\d+|0x[\da-f]*)$/.test(name)) {
    throw fault(unreadable)
  }
  return { name, port }

  function closed(entry: Entry): Entry {
    const [base, bits] = entry.range!
    const inside = NEVER.some(never => within(base, never) && bits >= never[1])
    if (inside) throw fault('lies in a range that is never opened (metadata, link-local, IPv6 transition)')
    return entry
  }
}
