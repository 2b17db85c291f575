/** Asks until the answer is right, or gives up loudly: nothing in the tests sleeps and hopes. */
export async function until<T>(ask: () => Promise<T> | T, right: (value: T) => boolean, withinMs = 60_000): Promise<T> {
  const end = performance.now() + withinMs
  for (;;) {
    const value = await ask()
    if (right(value)) return value
    if (performance.now() > end)
      throw new Error(`not within ${withinMs} ms; at last ${JSON.stringify(value)?.slice(0, 500)}`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}
