import { together } from '../together.ts'

await together('delivery/{*,{intake,sending,unknown}/*}.test.ts')
