import t from 'tap'
import { messageTypes } from '../schemas/content.ts'
import { browser, name, ready, sendExamples, skip } from './browser.ts'

// What a newcomer does first: opens /docs, pastes the key, sends each example. In Debian's own browser.

t.setTimeout(900_000)

t.test(
  'each message example is sent from the page with two clicks, on localhost and under a plain name',
  { skip },
  async t => {
    const { board, key } = await ready(t)
    const context = await browser(t)
    await sendExamples(t, context, { origin: board.url, key, types: messageTypes })
    const plain = `http://${name}:${new URL(board.url).port}`
    await sendExamples(t, context, { origin: plain, key, types: ['text', 'template'] })
  }
)
