/** Runs `expire` once `ms` milliseconds have passed since the last `refresh`, unless it was disposed of before. */
export type SetTimer = (expire: () => void, ms: number) => Disposable & { refresh: () => unknown }

/** How long a call may take, in milliseconds, and by which clock. */
export interface Deadline {
  ms: number
  setTimer: SetTimer
}
