import t from 'tap'
import { startBoard } from '../helper.ts'
import { auth, head, message, statuses, type Talk, talk } from './talk.ts'

// Clients that never finish, over bare sockets.

t.test('a client that never finishes is cut off, and one that is merely slow is not', async t => {
  const board = await startBoard(t)
  const drops = (text: string) => [...text]
  const form =
    '--b\r\nContent-Disposition: form-data; name="channel"\r\n\r\nwati\r\n--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\n'
  const upload = (length: number) =>
    `POST /media HTTP/1.1\r\nHost: x\r\n${auth}Content-Type: multipart/form-data; boundary=b\r\nContent-Length: ${length}\r\n\r\n${form}`
  const letters = 'Hello, slow world of media files'
  const end = '\r\n--b--\r\n'
  const answered = (text: string) => statuses(text).length > 0
  const [headers, silent, body, stranger, uploader, idle, moving, patient] = await Promise.all([
    talk(board, ['GET /livez HTTP/1.1\r\nHost: x\r\n', ...drops('X-Slow: '.padEnd(60, 'a'))], { everyMs: 400 }),
    talk(board, ['']),
    talk(board, [`${head}Content-Length: 1000\r\n\r\n{`, ...drops(' '.repeat(60))], { everyMs: 400 }),
    talk(board, [`${head.replace(auth, '')}Content-Length: 1000\r\n\r\n{`, ...drops(' '.repeat(60))], { everyMs: 400 }),
    talk(board, [upload(100_000).replace(auth, ''), ...drops(' '.repeat(60))], { everyMs: 400 }),
    talk(board, [`${upload(100_000)}Hello`]),
    talk(board, [upload(form.length + letters.length + end.length), ...drops(letters), end], {
      everyMs: 370,
      over: answered
    }),
    talk(board, [`${head}Content-Length: ${message.length}\r\n\r\n`, ...(message.match(/.{1,12}/g) ?? [])], {
      everyMs: 300,
      over: answered
    })
  ])
  const took = (name: string, { ms }: Talk, from: number, to: number) =>
    t.ok(ms > from && ms < to, `${name}: cut after ${Math.round(ms)} ms`)
  took('headers that drip', headers, 4500, 12_000)
  t.strictSame(statuses(headers.text), [408])
  took('not a byte', silent, 4500, 12_000)
  took('a body that drips', body, 9500, 18_000)
  t.strictSame(statuses(body.text), [], 'a body: no answer, nobody listens')
  t.strictSame(statuses(stranger.text), [401], 'a stranger is told at once')
  took('and is cut off alike', stranger, 9500, 18_000)
  t.strictSame(statuses(uploader.text), [401], 'a stranger who uploads too')
  took('and however much he moves', uploader, 9500, 18_000)
  took('an upload that stands still', idle, 9500, 18_000)
  t.strictSame(statuses(moving.text), [201], `CONTROL: an upload that moves may take ${Math.round(moving.ms)} ms`)
  t.ok(moving.ms > 11_000)
  t.strictSame(statuses(patient.text), [201], 'CONTROL: a body in many pieces arrives')
})
