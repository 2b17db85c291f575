import { together } from '../together.ts'

await together('routes/[a-e]*.test.ts')
