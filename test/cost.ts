/** The processor time of this process in milliseconds while `work` goes on; unlike the time on the clock it is not that of others. */
export async function spentMs(work: () => unknown): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

/** The processor time in milliseconds that a piece of work takes: the least of three, as what else happens only adds to it. */
export async function costMs(work: () => unknown): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < 3; i++) least = Math.min(least, await spentMs(work))
  return least
}
