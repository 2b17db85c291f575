// One line a stand-in; `npm run new-provider` adds one.
export { cloud } from './cloud/index.ts'
export { wati } from './wati/index.ts'
