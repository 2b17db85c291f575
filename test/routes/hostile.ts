/** What no identifier of ours may be, percent-encoded. */
export const hostile: readonly string[] = [
  '..%2f',
  '%2e%2e%2fx',
  '..%2f..%2fetc%2fpasswd',
  '%2e%2e%5c',
  '%252e%252e%252f',
  '%00',
  'a%00b',
  '%0d%0aX-Evil:%201',
  'a%0ab',
  '%f0%9f%98%80',
  '%e2%80%ae',
  '%ed%a0%80',
  "'%20or%201=1--",
  '%7b%7b1%7d%7d',
  'https:%2f%2fevil.example',
  'a'.repeat(10_000)
]
