import { together } from '../together.ts'

await together('store/*.test.ts')
