import { pino } from 'pino'
import { ConfigError, loadConfig } from './config.ts'
import { openAuditReader } from './store/audit-reader.ts'
import { type AuditVerdict, verifyAudit } from './store/audit-verify.ts'

// npm run audit:verify [-- <place>:<hash>]: holds the audit log against its chain. It reads DATA_DIR and DATABASE_URL as the
// server does, beside a server that runs, and changes nothing. Ends with 1 where something is not as it was written.

const usage = 'usage: npm run audit:verify [-- <place>:<hash>]   the two as an earlier run told them'

function tell({ entries, loose, begin, end, faults }: AuditVerdict): void {
  for (const fault of faults) console.error(fault)
  const from =
    begin.position === 0 ? 'from the first on' : `from place ${begin.position + 1} on, as retention left them`
  console.log(
    `${entries} entries, ${from}: ${faults.length === 0 ? 'all as they were written' : 'NOT as they were written'}.`
  )
  if (loose > 0)
    console.log(`${loose} entries of a release before the chain have no place yet; the server gives them theirs.`)
  console.log(`The chain ends at ${end.position}:${end.hash || '-'}
Note that elsewhere: with it the next run finds a chain that was made anew from an earlier place on.`)
}

async function run(): Promise<number> {
  const [text, ...others] = process.argv.slice(2)
  const [, place, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text ?? '') ?? []
  if (others.length > 0 || (text !== undefined && hash === undefined)) {
    console.error(usage)
    return 2
  }
  const { DATABASE_URL, DATA_DIR } = loadConfig(process.env)
  const reader = await openAuditReader({ databaseUrl: DATABASE_URL, directory: DATA_DIR }, pino({ level: 'silent' }))
  try {
    const verdict = await verifyAudit(reader.read, hash === undefined ? undefined : { position: Number(place), hash })
    tell(verdict)
    return verdict.faults.length === 0 ? 0 : 1
  } finally {
    await reader.close()
  }
}

process.exitCode = await run().catch(error => {
  console.error(error instanceof ConfigError ? error.message : `It cannot be checked: ${(error as Error).message}`)
  return 2
})
