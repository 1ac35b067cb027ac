// Signatures of webhooks, as Standard Webhooks has them: HMAC-SHA256 with a secret that the receiver
// has, too.

import { createHmac } from 'node:crypto'

const PREFIX = 'whsec_'
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/
const [MIN_BYTES, MAX_BYTES] = [24, 64]
const MAX_SECRETS = 2

/**
 * Reads a file of secrets: one, or two while the receiver changes from one to the other.
 *
 * @throws Error that does not quote them
 */
export function parseSecrets(text: string): Buffer[] {
  const lines = text.split(/\s+/).filter(Boolean)
  if (!lines.length || lines.length > MAX_SECRETS)
    throw new Error(`a file of webhook secrets has 1 or ${MAX_SECRETS} lines (got ${lines.length})`)
  return lines.map(parseSecret)
}

function parseSecret(text: string, index: number): Buffer {
  const encoded = text.startsWith(PREFIX) ? text.slice(PREFIX.length) : ''
  const key = BASE64.test(encoded) ? Buffer.from(encoded, 'base64') : Buffer.alloc(0)
  if (key.length < MIN_BYTES || key.length > MAX_BYTES)
    throw new Error(
      `a webhook secret must be ${PREFIX} and ${MIN_BYTES} to ${MAX_BYTES} bytes in base64 (secret ${index + 1} is not)`
    )
  return key
}

/** The headers of an attempt: of an event, they have the same `webhook-id` each time. */
export function signedHeaders(id: string, body: string, secrets: readonly Buffer[]) {
  const timestamp = String(Math.floor(Date.now() / 1000))
  const sign = (secret: Buffer) =>
    `v1,${createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64')}`
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': secrets.map(sign).join(' ')
  }
}
