// `node test/x.test.ts` knows nothing of tap's settings in package.json, and tap's own 30 s are too few on a busy machine.
// What is no test does not load tap, which would end it after that time.
if (!process.env.TAP_TIMEOUT && process.argv[1]?.endsWith('.test.ts')) {
  const { default: t } = await import('tap')
  t.setTimeout(300_000)
}
