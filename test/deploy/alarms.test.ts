import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { parse } from 'yaml'
import { startBoard } from '../helper.ts'
import { file } from '../process.ts'
import { absent, program } from './programs.ts'

// The alert rules and the dashboard under deploy/, against what the running server really tells.

const promtool = program('promtool', '--version')
const run = (args: string[], input = '') => {
  const { status, stdout, stderr } = spawnSync(promtool!, args, { input, encoding: 'utf8' })
  return { status, said: stdout + stderr }
}
const rulesFile = file('deploy/prometheus/switchboard.rules.yml')
interface Rule {
  alert: string
  expr: string
  annotations: { manual: string; summary: string }
}
const rules = (parse(readFileSync(rulesFile, 'utf8')) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  group => group.rules
)
interface Panel {
  title: string
  type: string
  targets?: { expr: string }[]
}
const { panels } = JSON.parse(readFileSync(file('deploy/grafana/switchboard.json'), 'utf8')) as { panels: Panel[] }
const queries = panels.flatMap(panel => (panel.targets ?? []).map(({ expr }) => expr))
const named = (expr: string): string[] => expr.match(/\b(?:switchboard|process|nodejs)_[a-z0-9_]+/g) ?? []

/** Every name that the server tells, with those of a histogram's parts. */
const names = (scrape: string): Set<string> =>
  new Set(
    [...scrape.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name, type]) =>
      type === 'histogram' ? ['bucket', 'sum', 'count'].map(part => `${name}_${part}`) : [name!]
    )
  )
async function scrape(t: Parameters<typeof startBoard>[0]): Promise<string> {
  const board = await startBoard(t)
  await board.call('POST', '/messages', {
    body: { channel: 'cloud', to: '14155551234', type: 'text', text: { body: 'x' } }
  })
  return (await board.call('GET', '/metrics')).text
}

t.test('whatever a rule or a panel asks for is told by the server', async t => {
  const told = names(await scrape(t))
  // Of PostgreSQL alone.
  told.add('switchboard_store_connections')
  const asked = [...rules.map(({ expr }) => expr), ...queries].flatMap(named)
  t.ok(asked.length > 40)
  t.strictSame(
    [...new Set(asked)].filter(name => !told.has(name)),
    []
  )
  t.notOk(told.has('switchboard_queue_depth'), 'CONTROL: a name that nobody tells is none of them')
})

t.test('every rule names a section of the manual about itself', async t => {
  const page = readFileSync(file('docs/alarms.md'), 'utf8')
  const sections = new Map(
    page
      .split(/^## /m)
      .slice(1)
      .map(text => [text.split('\n', 1)[0]!.toLowerCase().replaceAll(' ', '-'), text])
  )
  t.ok(rules.length >= 10)
  for (const { alert, annotations } of rules) {
    const anchor = /^docs\/alarms\.md ([a-z-]+)$/.exec(annotations.manual)?.[1]
    t.match(sections.get(anchor ?? ''), `\`${alert}\``, alert)
  }
  t.equal(sections.size, rules.length, 'and no section is left over')
})

t.test(
  'promtool takes the rules, and they ring for what they are about',
  { skip: absent(promtool, 'promtool') },
  async t => {
    const checked = run(['check', 'rules', rulesFile])
    t.equal(checked.status, 0, checked.said)
    const tested = run(['test', 'rules', file('deploy/prometheus/switchboard.test.yml')])
    t.equal(tested.status, 0, tested.said)
    t.equal(run(['check', 'rules'], 'groups: [{ name: x, rules: [{ alert: x, expr: "1 +" }] }]').status, 1, 'CONTROL')
  }
)

t.test(
  'promtool finds nothing wrong with the names that the server gives',
  { skip: absent(promtool, 'promtool') },
  async t => {
    const { status, said } = run(['check', 'metrics'], await scrape(t))
    t.equal(said.trim(), '')
    t.equal(status, 0)
    t.not(run(['check', 'metrics'], '# TYPE x_total gauge\nx_total 1\n').status, 0, 'CONTROL')
  }
)
