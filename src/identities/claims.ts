import { invalid } from '../errors.ts'

// What an identity asks of a token's claims: exact words, or a beginning that ends with `*`.

/** What is asked of each claim, by its name. */
export type Patterns = Readonly<Record<string, string>>

/** What may stand before `*`: a name must not go on there. */
const separators = ':/|@'

/** Claims that name whose token it is. One of them must be asked for, since issuers serve many owners. */
const owners: ReadonlySet<string> = new Set([
  ...['sub', 'repository', 'repository_id', 'repository_owner', 'repository_owner_id', 'email', 'oid', 'azp'],
  ...['namespace_path', 'namespace_id', 'project_path', 'project_id', 'client_id', 'organization_id'],
  ...['organization_slug', 'workspace_id', 'account_id']
])
/** What the verification itself judges. */
const reserved: ReadonlySet<string> = new Set(['iss', 'aud', 'exp', 'nbf', 'iat', 'jti'])

/** Beginnings of subjects that more words than one must follow until somebody is named, and how many words then stand. */
const broad: readonly [head: string, words: number][] = [
  ['system:serviceaccount:', 3],
  ['spiffe://', 3]
]

/** How many words a beginning must hold until it names somebody. A subject begins with what kind of thing it names. */
function wordsNeeded(name: string, head: string): number {
  if (name !== 'sub') return 1
  return broad.find(([beginning]) => head.startsWith(beginning))?.[1] ?? 2
}
const wordsIn = (head: string): number => head.split(new RegExp(`[${separators}]`)).filter(Boolean).length

const headOf = (pattern: string): string | undefined => (pattern.endsWith('*') ? pattern.slice(0, -1) : undefined)

/** Throws a 400 unless the claims name an owner, and no pattern is so wide that it names nobody. */
export function checkClaims(claims: Patterns): void {
  const names = Object.keys(claims)
  if (!names.some(name => owners.has(name)))
    throw invalid('/claims', `must hold sub or a claim that names an owner: ${[...owners].join(', ')}`)
  for (const name of names) {
    const at = `/claims/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
    const pattern = claims[name]!
    if (reserved.has(name)) throw invalid(at, 'is judged for every token and cannot be asked for here')
    if (pattern.trim() !== pattern) throw invalid(at, 'must not begin or end with a space')
    const head = headOf(pattern)
    if ((head ?? pattern).includes('*')) throw invalid(at, '* may stand at the end alone')
    if (head === undefined) continue
    if (name === 'email') throw invalid(at, 'must be a whole address: * is not taken here')
    if (!separators.includes(head.at(-1) ?? ' '))
      throw invalid(at, `* must stand behind a separator, one of ${[...separators].join(' ')}, so that no name goes on`)
    if (owners.has(name) && wordsIn(head) < wordsNeeded(name, head))
      throw invalid(at, 'embraces all that this issuer tells of: name an owner before *')
  }
}

/** `*` stands for one character at least. */
const fits = (pattern: string, value: string): boolean => {
  const head = headOf(pattern)
  return head === undefined ? value === pattern : value.length > head.length && value.startsWith(head)
}

/** Whether a token's claims are as asked. Lists and objects fit nothing; an address that is not verified is nobody's. */
export function matches(claims: Patterns, payload: Readonly<Record<string, unknown>>): boolean {
  if ('email' in claims && payload.email_verified !== undefined && `${payload.email_verified}` !== 'true') return false
  return Object.entries(claims).every(([name, pattern]) => {
    const value = Object.hasOwn(payload, name) ? payload[name] : undefined
    return /^(string|number|boolean)$/.test(typeof value) && fits(pattern, String(value))
  })
}

/** Whether one value fits both patterns. */
function meet(one: string, other: string): boolean {
  const [head, otherHead] = [headOf(one), headOf(other)]
  if (head === undefined) return fits(other, one)
  if (otherHead === undefined) return fits(one, other)
  return head.startsWith(otherHead) || otherHead.startsWith(head)
}

/**
 * Whether there can be a token that is as both ask. A claim that only one of them asks for keeps nothing apart: the same
 * token may hold both.
 */
export const overlap = (one: Patterns, other: Patterns): boolean =>
  Object.keys(one).every(name => !Object.hasOwn(other, name) || meet(one[name]!, other[name]!))
