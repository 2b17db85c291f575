// One line a provider; `npm run new-provider` adds one.
export { wati } from './wati/index.ts'
export { whatsappCloud } from './whatsapp-cloud/index.ts'
