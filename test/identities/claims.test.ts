import fc from 'fast-check'
import t from 'tap'
import { checkClaims, matches, overlap, type Patterns } from '../../src/identities/claims.ts'

t.test('claims that name nobody are refused, each with the rule', async t => {
  for (const [claims, path, word] of [
    [{}, '/claims', /names an owner/],
    [{ ref: 'refs/heads/main' }, '/claims', /names an owner/],
    [{ sub: '*' }, '/claims/sub', /separator/],
    [{ sub: 'repo:*' }, '/claims/sub', /embraces all/],
    [{ sub: 'repo:acme*' }, '/claims/sub', /separator/],
    [{ sub: 'repo:*/shop' }, '/claims/sub', /at the end alone/],
    [{ sub: '**' }, '/claims/sub', /at the end alone/],
    [{ sub: '://*' }, '/claims/sub', /embraces all/],
    [{ sub: 'system:serviceaccount:*' }, '/claims/sub', /embraces all/],
    [{ sub: 'spiffe://cluster.local/*' }, '/claims/sub', /embraces all/],
    [{ sub: 'auth0|*' }, '/claims/sub', /embraces all/],
    [{ repository: '*' }, '/claims/repository', /separator/],
    [{ repository: '/*' }, '/claims/repository', /embraces all/],
    [{ email: 'it@*' }, '/claims/email', /whole address/],
    [{ sub: ' x' }, '/claims/sub', /space/],
    [{ sub: 'x', iss: 'y' }, '/claims/iss', /judged for every token/],
    [{ sub: 'x', environment: '*' }, '/claims/environment', /separator/]
  ] as const)
    t.match(
      await Promise.resolve()
        .then(() => checkClaims(claims))
        .catch(error => error),
      { code: 'invalid_request', facts: { errors: [{ path, message: word }] } },
      JSON.stringify(claims)
    )
  for (const claims of [
    { sub: 'system:serviceaccount:shop:checkout' },
    { sub: 'system:serviceaccount:shop:*' },
    { sub: 'repo:acme/*' },
    { sub: 'project_path:acme/shop:*' },
    { repository: 'acme/shop', ref: 'refs/heads/*' },
    { repository_owner: 'acme' },
    { namespace_path: 'acme/*' },
    { email: 'it@acme.example' },
    { repository: 'acme/*', job_workflow_ref: 'acme/ci/.github/workflows/deploy.yml@*' }
  ] as Patterns[])
    t.doesNotThrow(() => checkClaims(claims), JSON.stringify(claims))
})

t.test('a token fits where every claim is as asked, and nowhere else', async t => {
  const asked = { sub: 'repo:acme/*', environment: 'prod' }
  t.ok(matches(asked, { sub: 'repo:acme/shop', environment: 'prod', more: 1 }))
  for (const payload of [
    {},
    { sub: 'repo:acme/shop' },
    { sub: 'repo:acme/', environment: 'prod' },
    { sub: 'repo:acme', environment: 'prod' },
    { sub: 'repo:acme-evil/shop', environment: 'prod' },
    { sub: 'REPO:acme/shop', environment: 'prod' },
    { sub: ['repo:acme/shop'], environment: 'prod' },
    { sub: 'repo:acme/shop', environment: 'production' },
    { sub: 'repo:acme/shop', environment: { prod: 1 } }
  ])
    t.notOk(matches(asked, payload), JSON.stringify(payload))
  t.notOk(matches({ toString: 'x' }, {}), 'what every object has is no claim')
  t.ok(matches({ project_id: '7', ref_protected: 'true' }, { project_id: 7, ref_protected: true }))
  const email = { email: 'it@acme.example' }
  t.ok(matches(email, { ...email, email_verified: true }))
  t.ok(matches(email, email))
  t.notOk(matches(email, { ...email, email_verified: false }), 'an address that is not verified is nobody’s')
})

t.test('two overlap just where a token can be both', async t => {
  const rows: [Patterns, Patterns, boolean][] = [
    [{ sub: 'a:b' }, { sub: 'a:b' }, true],
    [{ sub: 'a:b' }, { sub: 'a:c' }, false],
    [{ sub: 'a:b:*' }, { sub: 'a:b:c' }, true],
    [{ sub: 'a:b:*' }, { sub: 'a:b:' }, false],
    [{ sub: 'a:b:*' }, { sub: 'a:bc:*' }, false],
    [{ sub: 'a:b:*' }, { sub: 'a:b:c:*' }, true],
    [{ repository: 'a/b' }, { sub: 'repo:c/d' }, true],
    [{ repository: 'a/b', ref: 'x' }, { repository: 'a/b', ref: 'y' }, false],
    [{ repository: 'a/b' }, { repository: 'a/b', ref: 'y' }, true]
  ]
  for (const [one, other, both] of rows) {
    t.equal(overlap(one, other), both, JSON.stringify([one, other]))
    t.equal(overlap(other, one), both, 'and the other way round')
  }
  // Against the definition itself: a token is looked for among all short ones.
  const word = fc.array(fc.constantFrom('a', 'b', ':'), { minLength: 1, maxLength: 3 }).map(letters => letters.join(''))
  const pattern = fc.oneof(
    word,
    word.map(head => `${head.endsWith(':') ? head : `${head}:`}*`)
  )
  const claims = fc.dictionary(fc.constantFrom('x', 'y'), pattern, { minKeys: 1 })
  const letters = ['a', 'b', ':']
  const values = letters.flatMap(a => [a, ...letters.flatMap(b => [a + b, ...letters.map(c => a + b + c)])])
  const longer = [...values, ...values.flatMap(value => [`${value}:a`, `${value}:b`, `${value}a`])]
  fc.assert(
    fc.property(claims, claims, (one, other) => {
      const has = (name: string) =>
        longer.some(value =>
          [one, other].every(each => each[name] === undefined || matches({ [name]: each[name] }, { [name]: value }))
        )
      return overlap(one, other) === (has('x') && has('y'))
    })
  )
})
