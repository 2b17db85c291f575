import t from 'tap'
import { cases } from './cases.ts'

await cases(t, async () => ({}))
