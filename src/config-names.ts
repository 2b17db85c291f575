// A setting that is misspelt would be one that is not set: `MATON_API_KEY_FIEL` starts a sandbox where somebody meant to
// send. So a name that can only have been meant for us is a fault, and what belongs to others is left alone.

/** Names that are read by others in this process: Node, undici, and what carries traces. */
const elsewhere: readonly string[] = ['HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY', 'ALL_PROXY', 'FTP_PROXY']
/** Nobody else's names begin so. */
const ours = 'MATON_'

/** How many letters have to be put in, taken out, changed or exchanged with the next to make one text the other. */
export function distance(a: string, b: string): number {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      row[j] = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        row[j] = Math.min(row[j]!, before[j - 2]! + 1)
    }
    before = last
    last = row
  }
  return last[b.length]!
}

/** A name as it is meant, however it is written: case, hyphens and plurals left out. */
const plain = (name: string): string =>
  name
    .toUpperCase()
    .split(/[_.-]/)
    .map(word => word.replace(/IES$/, 'Y').replace(/(?<=..)S$/, ''))
    .join('')

/** Mistakes that a name of this length may have before it is another word. */
const most = (name: string): number => (name.length >= 8 ? 2 : name.length >= 6 ? 1 : 0)

/** Longer names are nobody's slip, and comparing them would take time. */
const longest = 40

/** @param meanings the known names by what `plain` makes of them, those that are too short to be meant left out */
function meant(name: string, known: readonly string[], meanings: ReadonlyMap<string, string>): string | undefined {
  if (!/[A-Z]/i.test(name) || name.length > longest) return undefined
  const cased = name.includes('_') ? name.toUpperCase() : name
  const same = /[_-]|[A-Z]/.test(name) && meanings.get(plain(cased))
  if (same) return same
  const near = ({ right, apart }: Near): boolean => apart <= most(right) || (apart === 1 && isSwap(cased, right))
  // A name that differs more in length alone is not compared: a start compares every name of the environment with every setting.
  const close = known.filter(right => Math.abs(right.length - cased.length) <= Math.max(most(right), 1))
  return nearest(cased, close).find(near)?.right
}

interface Near {
  right: string
  apart: number
}
const nearest = (name: string, known: readonly string[]): Near[] =>
  known.map(right => ({ right, apart: distance(name, right) })).sort((one, other) => one.apart - other.apart)

/** HSOT for HOST: short words are each other's neighbours, but their letters are not in another order by chance. */
const isSwap = (name: string, right: string): boolean =>
  name.length === right.length && [...name].sort().join('') === [...right].sort().join('')

/** What Kubernetes puts into every container for a Service of any name, such as WEBHOOKS_PORT=tcp://10.0.0.1:80. */
const fromKubernetes = (name: string, value: string, env: Readonly<Record<string, string | undefined>>): boolean =>
  /^(tcp|udp|sctp):\/\//.test(value) ||
  [...name.matchAll(/_/g)].some(({ index }) => env[`${name.slice(0, index)}_SERVICE_HOST`] !== undefined)

/**
 * The names in an environment that are one of ours misspelt, each as a sentence that says which one is meant.
 * @param names every setting
 * @param secrets those of them that may be given as a file
 */
export function misspelt(
  env: Readonly<Record<string, string | undefined>>,
  names: readonly string[],
  secrets: readonly string[]
): string[] {
  const files = secrets.map(name => `${name}_FILE`)
  const known = [...names, ...files]
  const long = known.filter(right => right.length >= 6)
  // Of two that mean the same the first is told.
  const meanings = new Map(long.toReversed().map(right => [plain(right), right]))
  const right = new Set([...known, ...elsewhere])
  return Object.entries(env).flatMap(([name, value]) => {
    if (value === undefined || right.has(name) || elsewhere.includes(name.toUpperCase())) return []
    if (fromKubernetes(name, value, env)) return []
    if (name.endsWith('_FILE') && names.includes(name.slice(0, -5)))
      return [`${name} is not a setting: only secrets are read from a file (set ${name.slice(0, -5)} itself)`]
    const like = meant(name, known, meanings) ?? (name.startsWith(ours) ? nearest(name, known)[0]!.right : undefined)
    return like ? [`${name} is not a setting: is ${like} meant?`] : []
  })
}
