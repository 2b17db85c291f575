import { array, record, string } from '../decode.ts'
import { type Json, some } from './common.ts'

const list = (items: unknown, read: (item: Json) => Json): Json[] | undefined => {
  const told = array(items).map(item => some(read(record(item))))
  return told.length > 0 ? told : undefined
}

/** One contact card of Meta's in our words; a card that answers a request for the number may have no name (docs/webhooks.md C5). */
export function card(value: unknown): Json {
  const { name, phones, emails, urls, addresses, org, birthday, origin, vcard } = record(value)
  const { formatted_name, first_name, last_name, middle_name, prefix, suffix } = record(name)
  return some({
    name: some({
      formatted: string(formatted_name) ?? string(first_name) ?? '',
      first: string(first_name),
      last: string(last_name),
      middle: string(middle_name),
      prefix: string(prefix),
      suffix: string(suffix)
    }),
    phones: list(phones, item => ({ phone: string(item.phone), type: string(item.type), waId: string(item.wa_id) })),
    emails: list(emails, item => ({ email: string(item.email), type: string(item.type) })),
    urls: list(urls, item => ({ url: string(item.url), type: string(item.type) })),
    addresses: list(addresses, item => ({
      street: string(item.street),
      city: string(item.city),
      state: string(item.state),
      zip: string(item.zip),
      country: string(item.country),
      countryCode: string(item.country_code),
      type: string(item.type)
    })),
    org:
      record(org) === org
        ? some({
            company: string(record(org).company),
            department: string(record(org).department),
            title: string(record(org).title)
          })
        : undefined,
    birthday: string(birthday),
    origin: string(origin),
    vcard: string(vcard)
  })
}
