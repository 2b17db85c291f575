import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { freePort } from '../free-port.ts'
import { startBoard, until } from '../helper.ts'
import { file } from '../process.ts'
import { absent, program } from './programs.ts'

// The dashboard's queries and the rules, run by a real Prometheus that has scraped a running server.

const prometheus = program('prometheus', '--version')
const { panels } = JSON.parse(readFileSync(file('deploy/grafana/switchboard.json'), 'utf8')) as {
  panels: { title: string; targets?: { expr: string }[] }[]
}

t.test(
  'every query of the dashboard and every rule is run on what the server tells',
  { skip: absent(prometheus, 'prometheus') },
  async t => {
    const token = 'scrape-0123456789-0123456789-0123456789'
    const board = await startBoard(t, { env: { METRICS_TOKEN: token, MATON_RATE_PER_SECOND: '10' } })
    const send = (to: string) =>
      board.call('POST', '/messages', { body: { channel: 'cloud', to, type: 'text', text: { body: 'x' } } })
    const sendAt = new Date(Date.now() + 3600_000).toISOString()
    await board.call('POST', '/messages', {
      body: { channel: 'cloud', to: '14155551234', sendAt, type: 'text', text: { body: 'x' } }
    })
    const folder = t.testdir({ token })
    const settings = parse(readFileSync(file('deploy/prometheus/prometheus.yml'), 'utf8'))
    const [job] = settings.scrape_configs
    job.scrape_interval = '1s'
    job.authorization.credentials_file = join(folder, 'token')
    job.static_configs = [{ targets: [new URL(board.url).host] }]
    settings.global = { evaluation_interval: '1s' }
    settings.rule_files = [file('deploy/prometheus/switchboard.rules.yml')]
    writeFileSync(join(folder, 'prometheus.yml'), JSON.stringify(settings))
    const port = await freePort()
    const child = spawn(
      prometheus!,
      [
        `--config.file=${join(folder, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`
      ],
      { stdio: 'ignore' }
    )
    const ended = new Promise(resolve => child.once('close', resolve))
    t.teardown(async () => {
      child.kill('SIGTERM')
      await ended
    })
    const ask = async (
      path: string,
      query = ''
    ): Promise<{ status: string; error?: string; data: { result: { value: [number, string] }[] } }> => {
      const answer = await fetch(
        `http://127.0.0.1:${port}/api/v1/${path}${query && `?query=${encodeURIComponent(query)}`}`
      )
      return (await answer.json()) as never
    }
    // Two scrapes and a change in between, or nothing has a rate.
    const scrapes = async () =>
      Number(
        (await ask('query', 'count_over_time(switchboard_hold[1h])').catch(() => undefined))?.data?.result[0]
          ?.value[1] ?? 0
      )
    await until(scrapes, count => count >= 1)
    await send('14155551234')
    await send('15550100017')
    const before = await scrapes()
    await until(scrapes, count => count >= before + 2)

    for (const { title, targets = [] } of panels)
      for (const { expr } of targets) {
        const { status, error, data } = await ask('query', expr.replaceAll('$__rate_interval', '1m'))
        t.equal(status, 'success', `${title}: ${error ?? expr}`)
        // These are of PostgreSQL, of webhooks that came, or of what is not the case.
        if (!/store_connections|subscriptions|deliveries|webhooks_total|heard_|> 0$/.test(expr))
          t.ok(data.result.length > 0, `${title}: ${expr}`)
      }
    interface Rules {
      data: { groups: { rules: { name: string; health: string; lastError?: string }[] }[] }
    }
    const rules = (
      await until(
        () => ask('rules') as unknown as Promise<Rules>,
        ({ data }) => data.groups.every(group => group.rules.every(({ health }) => health !== 'unknown'))
      )
    ).data.groups.flatMap(group => group.rules)
    t.ok(rules.length >= 10)
    for (const { name, health, lastError } of rules) t.equal(health, 'ok', `${name} ${lastError ?? ''}`)
    t.equal((await ask('query', 'sum(switchboard_nothing) +')).status, 'error', 'CONTROL')
  }
)
