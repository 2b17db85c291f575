import type { ContactCard } from '../../../schemas/content.ts'

// Contact cards in Meta's words (docs/upstream.md 4.2), and what the other words are made with as well.

export type Json = Record<string, unknown>

/** Without the members that are undefined. */
export const defined = (value: object): Json =>
  Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined))
const renamed = (value: object, names: Readonly<Record<string, string>>): Json =>
  Object.fromEntries(Object.entries(defined(value)).map(([key, v]) => [names[key] ?? key, v]))

const nameWords = { first: 'first_name', last: 'last_name', middle: 'middle_name' }
/**
 * Meta refuses a name of which only the formatted form is given (its contacts page: one more part is needed). The
 * formatted one is what WhatsApp shows, so repeating it as first name changes nothing for the reader.
 */
function contactName({ formatted, ...parts }: ContactCard['name']): Json {
  const named = renamed(parts, nameWords)
  return { formatted_name: formatted, ...(Object.keys(named).length > 0 ? named : { first_name: formatted }) }
}
/** One card in Meta's words. */
export const contact = ({ name, phones, emails, urls, addresses, org, birthday }: ContactCard): Json =>
  defined({
    name: contactName(name),
    phones: phones?.map(phone => renamed(phone, { waId: 'wa_id' })),
    emails: emails?.map(defined),
    urls: urls?.map(defined),
    addresses: addresses?.map(address => renamed(address, { countryCode: 'country_code' })),
    org: org && defined(org),
    birthday
  })
