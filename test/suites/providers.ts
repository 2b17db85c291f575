import { together } from '../together.ts'

await together('{adapters,dispatch,sandbox,upstream}/*.test.ts')
