import { together } from '../together.ts'

await together('*.test.ts', '{cli,deploy,docs,life,start}/*.test.ts')
