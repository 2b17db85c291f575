import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import t from 'tap'
import { startBoard } from '../helper.ts'
import { file } from '../process.ts'

const execute = promisify(execFile)
/** Runs the command to its end, whatever that is. */
const verifyIn = (directory: string, args: string[]) =>
  execute(process.execPath, [file('src/audit-verify.ts'), ...args], {
    env: { ...process.env, DATA_DIR: directory }
  }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ code, stdout, stderr })
  )

t.test('audit:verify reads beside a running server, and ends with 1 where an entry was changed', async t => {
  const board = await startBoard(t)
  const verify = (...args: string[]) => verifyIn(board.directory, args)
  const whole = await verify()
  t.equal(whole.code, 0, whole.stderr)
  t.match(whole.stdout, /2 entries, from the first on: all as they were written/)
  const [end] = /\d+:[0-9a-f]{64}/.exec(whole.stdout)!
  await board.key()
  t.equal((await verify(end)).code, 0, 'the noted end is still there')
  t.equal((await verify('nonsense')).code, 2)
  const db = new DatabaseSync(join(board.directory, 'switchboard.db'))
  db.exec(`drop trigger audit_fixed; update audit set actor = 'key_x' where position = 1`)
  db.close()
  const changed = await verify()
  t.match([changed.code, changed.stderr], [1, /place 1 .* is not as it was written/])
})
