import { together } from '../together.ts'

await together(
  '{broadcasts,conformance,contacts,events,identities,keys,media,messages,monitoring,overview,quiet-hours,subscriptions,tables,templates,torture}/*.test.ts'
)
