import { together } from '../together.ts'

await together('routes/[f-z]*.test.ts')
