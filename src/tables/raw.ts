/** A row as a file has it, before anything is known of columns. */
export interface RawRow {
  /** Its place in the file, from 0. */
  at: number
  cells: string[]
  /** What cannot be read: a cell, or where none is named the whole row. */
  wrong?: { cell?: number; message: string }[]
}
