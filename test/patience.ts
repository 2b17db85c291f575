import t from 'tap'

// `node test/x.test.ts` knows nothing of tap's settings in package.json, and tap's own 30 s are too few on a busy machine.
if (!process.env.TAP_TIMEOUT) t.setTimeout(300_000)
