// The body of an HTTP request: JSON, and not much of it.

import type { IncomingMessage } from 'node:http'
import { Problem } from '../../../lib/http-routes.ts'

export const MAX_BODY_BYTES = 64 * 1024

/**
 * Answers its JSON; undefined when there is none.
 *
 * @param takes whether the route takes a body at all
 * @throws Problem
 */
export async function readBody(request: IncomingMessage, takes: boolean): Promise<unknown> {
  const { headers, method, url } = request
  const length = Number(headers['content-length'] ?? 0)
  if (!length && headers['transfer-encoding'] === undefined) return undefined
  if (!takes) throw endOf(400, `${method} ${url?.split('?')[0]} takes no body`)
  const type = headers['content-type']?.split(';')[0]!.trim().toLowerCase()
  if (type !== 'application/json')
    throw endOf(415, `the body must be application/json (got ${type ?? 'no content-type'})`)
  if (headers['content-encoding'] !== undefined)
    throw endOf(415, 'the body must have no content-encoding')
  if (length > MAX_BODY_BYTES) throw tooLarge()
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > MAX_BODY_BYTES) throw tooLarge()
    chunks.push(chunk)
  }
  return parse(Buffer.concat(chunks))
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw new Problem(400, 'the body must be JSON in UTF-8')
  }
}

/** What is not read ends with its connection. */
const endOf = (status: number, why: string) => new Problem(status, why, { connection: 'close' })

const tooLarge = () => endOf(413, `the body has at most ${MAX_BODY_BYTES} bytes`)
