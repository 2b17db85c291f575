import { fstatSync, write, writeSync } from 'node:fs'
import { Socket } from 'node:net'

/** Where the lines of the log go. Nothing that is done with it waits, throws, or can hold the process up (P51). */
export interface LogOutput {
  /** Takes a line with its line end. It is written within a tenth of a second, or counted as lost. */
  write: (line: string) => void
  /** Begins to write what has gathered. */
  flush: () => void
  /** Writes what has gathered before it returns; a slow reader is waited for, `mostMs` at the most. */
  finish: (mostMs: number) => void
  /** Lines that nobody will read, since the start: there was no room, no reader, or no disk. */
  lost: () => number
}

/** A file descriptor's two ways of writing; only a test has others. */
export interface Descriptor {
  write: (bytes: Uint8Array, done: (error: NodeJS.ErrnoException | null, written: number) => void) => void
  /** @throws EAGAIN and others */
  writeSync: (bytes: Uint8Array) => number
}

/** Lines gather until they have so many characters, or for so many milliseconds. */
const gather = { characters: 8192, ms: 100 }
/** Characters that may wait for a reader; what comes after them is lost. */
const mostWaiting = 1024 * 1024
/** How long until the next try: while a reader is slow, and while there is no disk or no reader. */
const againMs = { slow: 50, broken: 1000 }

/** Kept for as long as the process runs: a collected one would close its descriptor. */
const held: Socket[] = []

/**
 * Standard output or standard error. A pipe or a socket is made to answer at once that it is full: a write that waits for
 * a reader would hold a thread of Node's pool, and the end of the process waits for those threads. Files always answer.
 * @param fd 1 or 2
 */
export function standard(fd: number): Descriptor {
  try {
    const kind = fstatSync(fd)
    // Nothing is written through it: Node has no other way to set O_NONBLOCK.
    if (kind.isFIFO() || kind.isSocket()) held.push(new Socket({ fd, readable: false, allowHalfOpen: true }).unref())
  } catch {
    // It is closed, or of a kind of its own: the writing will say so.
  }
  return {
    write: (bytes, done) => write(fd, bytes, done),
    writeSync: bytes => writeSync(fd, bytes)
  }
}

const waits = (error: NodeJS.ErrnoException): boolean => error.code === 'EAGAIN' || error.code === 'EINTR'
const pause = (ms: number): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)

/** Gathers lines and writes them beside the event loop. */
export function createLogOutput(descriptor: Descriptor): LogOutput {
  let lines: string[] = []
  let characters = 0
  /** What is being written, or waits for room. */
  let piece: { bytes: Uint8Array; lines: number; inFlight: boolean } | undefined
  let timer: NodeJS.Timeout | undefined
  /** A reader or a disk is given its time; nothing is tried meanwhile. */
  let resting = false
  let lost = 0
  /** Lost lines of which the log does not tell yet. */
  let untold = 0

  const lose = (count: number): void => {
    lost += count
    untold += count
  }
  const later = (ms: number): void => {
    timer ??= setTimeout(() => {
      timer = undefined
      resting = false
      next()
    }, ms).unref()
  }
  const rest = (ms: number): void => {
    clearTimeout(timer)
    timer = undefined
    resting = true
    later(ms)
  }
  const take = (): typeof piece => {
    if (characters === 0) return undefined
    const time = new Date().toISOString()
    const gap =
      untold && `\n${JSON.stringify({ level: 'warn', time, lines: untold, msg: 'lines of the log were lost' })}\n`
    const taken = { bytes: Buffer.from((gap || '') + lines.join('')), lines: lines.length, inFlight: false }
    untold = 0
    lines = []
    characters = 0
    return taken
  }
  const wrote = (error: NodeJS.ErrnoException | null, written: number): void => {
    if (!piece) return
    piece.inFlight = false
    if (!error) piece.bytes = piece.bytes.subarray(written)
    else if (!waits(error)) {
      lose(piece.lines)
      piece = undefined
    }
    if (piece?.bytes.length === 0) piece = undefined
    if (error) rest(piece ? againMs.slow : againMs.broken)
    else if (piece || characters >= gather.characters) next()
    else if (characters > 0) later(gather.ms)
  }
  const next = (): void => {
    if (resting || piece?.inFlight) return
    piece ??= take()
    if (!piece) return
    piece.inFlight = true
    descriptor.write(piece.bytes, wrote)
  }
  return {
    write: line => {
      if (characters + line.length > mostWaiting) return lose(1)
      lines.push(line)
      characters += line.length
      if (characters >= gather.characters) next()
      else later(gather.ms)
    },
    flush: next,
    finish: mostMs => {
      const until = performance.now() + mostMs
      // What is in flight is in the system's hands: it is written before the process ends.
      if (piece?.inFlight) piece = undefined
      while ((piece ??= take())) {
        try {
          piece.bytes = piece.bytes.subarray(descriptor.writeSync(piece.bytes))
          if (piece.bytes.length === 0) piece = undefined
        } catch (error) {
          if (!waits(error as NodeJS.ErrnoException) || performance.now() >= until) return lose(piece?.lines ?? 0)
          pause(10)
        }
      }
    },
    lost: () => lost
  }
}
