import type { Call } from '../call.ts'
import { badRequest } from './answers.ts'

const DEFAULT_SIZE = 10

function whole(value: string | undefined, name: string, fallback: number, most: number): number {
  if (value === undefined) return fallback
  const number = Number(value)
  if (!/^\d{1,6}$/.test(value) || number < 1 || number > most) throw badRequest(`${name} is not valid`)
  return number
}

export interface Page<T> {
  items: T[]
  link: { prevPage: string | null; nextPage: string | null; pageNumber: number; pageSize: number; total: number }
}

/** The page that the query asks for, with WATI's `link` block (docs/upstream.md 3.3, 3.4.1). */
export function page<T>(call: Call, all: T[]): Page<T> {
  const pageSize = whole(call.query.pageSize, 'pageSize', DEFAULT_SIZE, 1000)
  const pageNumber = whole(call.query.pageNumber, 'pageNumber', 1, 999_999)
  const start = (pageNumber - 1) * pageSize
  const address = (number: number): string =>
    `https://live-mt-server.wati.io/000000/api/v1/${call.name.slice('wati.'.length)}` +
    `?pageSize=${pageSize}&pageNumber=${number}`
  return {
    items: all.slice(start, start + pageSize),
    link: {
      prevPage: pageNumber > 1 ? address(pageNumber - 1) : null,
      nextPage: start + pageSize < all.length ? address(pageNumber + 1) : null,
      pageNumber,
      pageSize,
      total: all.length
    }
  }
}
