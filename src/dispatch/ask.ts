import type { Operation, Operations } from '../adapters/adapter.ts'
import { CallFailed, type DispatchChannel, type ProviderClient } from './provider-client.ts'

/** One call whose caller waits for it: its output, or the failure in the caller's words (ServiceError). */
export async function ask<K extends Operation>(
  providerClient: ProviderClient,
  operation: K,
  channel: DispatchChannel,
  input: Operations[K]['input']
): Promise<Operations[K]['output']> {
  try {
    return (await providerClient.call(operation, channel, input)).output
  } catch (error) {
    throw error instanceof CallFailed ? error.toServiceError() : error
  }
}
