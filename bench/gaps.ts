import { writeSync } from 'node:fs'

// Loaded into a server (--import): says on standard error how long its event loop stood still, whenever that was 5 ms or more.
let last = performance.now()
setInterval(() => {
  const now = performance.now()
  // The timer's own millisecond is not standing still.
  if (now - last > 6) writeSync(2, `GAP ${Date.now()} ${(now - last - 1).toFixed(1)}\n`)
  last = now
}, 1).unref()
