// One request to a registry, as JSON.

import { request } from 'node:http'
import { request as secureRequest } from 'node:https'
import { type Tls, readTls } from '../../lib/tls.ts'

export interface RegistryAccess {
  /** Of an `https://` URL: its own certificate and key, and the authorities it trusts. */
  tls?: Tls | undefined
  /** A token, or what gives a fresh one. */
  token?: string | (() => string | Promise<string>) | undefined
}

const TIMEOUT_MS = 5_000
const MAX_ANSWER_BYTES = 64 * 1024

/**
 * Answers the JSON of the answer.
 *
 * @throws Error that says what the registry answered, if that is no success; the system's errors
 */
export async function askRegistry(
  method: 'PUT' | 'DELETE',
  url: URL,
  body: object | undefined,
  { tls = {}, token }: RegistryAccess
): Promise<unknown> {
  const bearer = typeof token === 'function' ? await token() : token
  const options = {
    method,
    agent: false, // Each time with the files as they are.
    signal: AbortSignal.timeout(TIMEOUT_MS),
    headers: {
      ...(body && { 'content-type': 'application/json' }),
      ...(bearer && { authorization: `Bearer ${bearer}` })
    },
    ...(url.protocol === 'https:' && readTls(tls))
  }
  const text = await new Promise<string>((resolve, reject) => {
    const asked = url.protocol === 'https:' ? secureRequest(url, options) : request(url, options)
    asked.on('error', reject)
    asked.on('response', async response => {
      let answer = ''
      try {
        for await (const chunk of response) {
          answer += chunk
          if (answer.length > MAX_ANSWER_BYTES) throw new Error('its answer is too long')
        }
      } catch (error) {
        return reject(error)
      }
      const { statusCode = 0 } = response
      if (statusCode >= 200 && statusCode < 300) resolve(answer)
      else reject(new Error(`it answered ${statusCode} ${detailIn(answer)}`))
    })
    asked.end(body && JSON.stringify(body))
  })
  return text ? JSON.parse(text) : undefined
}

/** What a problem says, RFC 9457. */
function detailIn(answer: string): string {
  try {
    const { detail } = Object(JSON.parse(answer)) as { detail?: unknown }
    return typeof detail === 'string' ? detail : ''
  } catch {
    return answer.slice(0, 200)
  }
}
