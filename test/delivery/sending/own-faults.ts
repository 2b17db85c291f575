import type { MediaLibrary } from '../../../src/media/library.ts'
import type { Board } from '../../helper.ts'

// What the tests of our own faults say and look at.

export const text = (to: string, channel = 'cloud') => ({ channel, to, type: 'text', text: { body: 'Hello' } })
export const image = (to: string) => ({
  channel: 'wati',
  to,
  type: 'image',
  image: { link: 'https://example.com/a.png' }
})
export const sends = (board: Board, to?: string) => board.sandbox.ledger.sends().filter(entry => !to || entry.to === to)
export const status = (board: Board, id: string) => board.call('GET', `/messages/${id}`)
/** The board's own part, which the delivery calls by name: a test may put a fault in its place. */
export const media = (board: Board) => (board.board.app as unknown as { media: MediaLibrary }).media
