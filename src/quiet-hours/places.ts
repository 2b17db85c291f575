import type { CountryCode } from 'libphonenumber-js/min'
import { isUserId } from '../phone.ts'

// Where a person is, as far as a number tells: its country. Which countries share a code, and which of their numbers are whose,
// libphonenumber knows; a country's zones are those of the runtime's own copy of the IANA database.

/** Places that have numbers and no zone of their own in the database. */
const zonesElsewhere: Readonly<Record<string, string[]>> = {
  XK: ['Europe/Belgrade'],
  AC: ['Atlantic/St_Helena'],
  TA: ['Atlantic/St_Helena']
}

/** Every zone of a country; none where there is no such country. */
function zonesOf(country: string): readonly string[] {
  const region = new Intl.Locale(`und-${country}`) as Intl.Locale & { getTimeZones?: () => string[] | undefined }
  return zonesElsewhere[country] ?? region.getTimeZones?.() ?? []
}

/** The zones in which a person may be; none: nobody can say. */
export type ZonesOf = (person: string) => readonly string[]

/** Loads what is known of numbers: a tenth of a second and some megabytes, for those alone who ask for the recipient's time. */
export async function loadZones(): Promise<ZonesOf> {
  const { parsePhoneNumberFromString } = await import('libphonenumber-js/min')
  const known = new Map<string, readonly string[]>()
  /** Of several countries with one code the first is the one that gives the code its name: unassigned numbers are counted to it. */
  const countryOf = (digits: string): CountryCode | undefined => {
    const number = parsePhoneNumberFromString(`+${digits}`)
    return number?.country ?? number?.getPossibleCountries()[0]
  }
  return person => {
    const country = isUserId(person) ? person.slice(0, 2) : countryOf(person)
    if (country === undefined) return []
    const zones = known.get(country) ?? zonesOf(country)
    known.set(country, zones)
    return zones
  }
}
