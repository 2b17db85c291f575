import { together } from '../together.ts'

await together('{http,inbound}/*.test.ts')
