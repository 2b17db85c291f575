import { together } from '../together.ts'

await together('delivery/scheduling/*.test.ts')
