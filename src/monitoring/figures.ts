// Figures that stand nowhere as a counter: they are looked up in the store when a scrape asks for them. A scrape must cost
// little, whoever asks however often, and one figure that cannot be had must not take the others with it (docs/reliability.md P51).

/** What a figure is called and what it tells. */
export interface Figure {
  help: string
  labels?: readonly ('mode' | 'service' | 'lane' | 'channel' | 'cause' | 'state' | 'version' | 'node' | 'store')[]
  /** How values of names that share a series become one; by default they are added. */
  merge?: 'sum' | 'max'
}

export type Labels = Partial<Record<NonNullable<Figure['labels']>[number], string>>
/** Tells one value; labels that were told before in this look are merged. */
export type Tell<Name extends string = string> = (name: Name, value: number, labels?: Labels) => void

/** A group of figures that one look gives. */
export interface FigureSource<Name extends string = string> {
  /** For `switchboard_figures_missing`. */
  name: string
  figures: Readonly<Record<Name, Figure>>
  look: (tell: Tell<Name>) => Promise<void>
}

/** A gauge, as far as it is needed here. */
export interface Gauge {
  /** Leaves nothing of it, not even a nought. */
  clear: () => void
  set: (labels: Readonly<Record<string, string>>, value: number) => void
}

export interface Figures {
  add: (source: FigureSource) => void
  /** Looks again what is not fresh any more. Resolves within a second, whatever the store does. */
  refresh: () => Promise<void>
}

/** A look is believed so long, or twenty times as long as it took, in milliseconds. */
const believeMs = 5000
const believeTimes = 20
/** A scrape does not wait longer for a look; its figures are missing then. */
const patienceMs = 1000

/** What a look told, by name and labels. */
type Told = Map<string, { name: string; labels: Labels; value: number }>

interface Entry {
  source: FigureSource
  gauges: Map<string, Gauge>
  /** Until when it is fresh, by performance.now(). */
  until: number
  running?: Promise<void>
}

/**
 * Looks figures up, each group by itself.
 * @param gauge makes one
 * @param bounds gives a name of a label its series: its own, or the one that it shares
 */
export function createFigures(
  gauge: (name: string, help: string, labels: readonly string[]) => Gauge,
  bounds: { channel: (name: string) => string; service: (name: string) => string }
): Figures {
  const entries: Entry[] = []
  const missing = gauge('switchboard_figures_missing', 'Figures that could not be looked up: 1', ['source'])

  const show = ({ source, gauges }: Entry, told: Told): void => {
    for (const each of gauges.values()) each.clear()
    for (const { name, labels, value } of told.values()) gauges.get(name)!.set(labels, value)
    missing.set({ source: source.name }, 0)
  }
  const lose = (entry: Entry): void => {
    for (const each of entry.gauges.values()) each.clear()
    missing.set({ source: entry.source.name }, 1)
  }
  const look = async (entry: Entry): Promise<void> => {
    const begun = performance.now()
    const told: Told = new Map()
    const tell: Tell = (name, value, labels = {}) => {
      const named: Labels = {
        ...labels,
        ...(labels.channel !== undefined && { channel: bounds.channel(labels.channel) }),
        ...(labels.service !== undefined && { service: bounds.service(labels.service) })
      }
      const key = `${name} ${JSON.stringify(named)}`
      const before = told.get(key)?.value
      const merged =
        before === undefined
          ? value
          : entry.source.figures[name]?.merge === 'max'
            ? Math.max(before, value)
            : before + value
      told.set(key, { name, labels: named, value: merged })
    }
    try {
      await entry.source.look(tell)
      show(entry, told)
    } catch {
      // What the store does not tell is missing, and that is told: the alarm for it is switchboard_figures_missing.
      lose(entry)
    }
    const now = performance.now()
    entry.until = now + Math.max(believeMs, believeTimes * (now - begun))
  }
  return {
    add: source => {
      const gauges = Object.entries(source.figures).map(
        ([name, { help, labels = [] }]) => [name, gauge(name, help, labels)] as const
      )
      entries.push({ source, gauges: new Map(gauges), until: Number.NEGATIVE_INFINITY })
    },
    refresh: async () => {
      const due = entries.filter(({ until }) => until <= performance.now())
      if (due.length === 0) return
      for (const entry of due)
        entry.running ??= look(entry).finally(() => {
          delete entry.running
        })
      let timer: NodeJS.Timeout | undefined
      const patience = new Promise<void>(resolve => {
        timer = setTimeout(resolve, patienceMs)
      })
      await Promise.race([Promise.all(due.map(({ running }) => running)), patience])
      clearTimeout(timer)
      // Old values would be taken for those of now.
      for (const entry of due) if (entry.running) lose(entry)
    }
  }
}
