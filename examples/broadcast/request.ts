// What a request says: its resource, its token and its body.

import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { Problem } from './problem.ts'

const BODY_BYTES = 64 * 1024

export interface Target {
  protocol: 'whip' | 'whep'
  name: string
  /** Of the session. */
  id?: string
}

export function targetOf(pathname: string): Target {
  const [, protocol, name, id] = /^\/(whip|whep)\/([\w.-]+)(?:\/([\w-]+))?$/.exec(pathname) ?? []
  if (!name) throw new Problem(404, 'resources are /whip/NAME and /whep/NAME')
  return { protocol: protocol as Target['protocol'], name, id }
}

/** Refuses who does not have the bearer token, if there is one (RFC 6750). */
export function authorize({ headers: { authorization = '' } }: IncomingMessage, token?: string) {
  if (!token) return
  const given = /^Bearer +(.+)$/i.exec(authorization)?.[1]
  if (given && isSame(given, token)) return
  const challenge = given ? 'Bearer error="invalid_token"' : 'Bearer'
  throw new Problem(401, 'this needs a bearer token', { 'www-authenticate': challenge })
}

/** In a time that does not depend on where they differ. */
function isSame(one: string, other: string): boolean {
  const [a, b] = [one, other].map(text => createHash('sha256').update(text).digest())
  return timingSafeEqual(a!, b!)
}

/** The body, which must have that type; `accept` is the header that says so. */
export async function bodyOf(
  request: IncomingMessage,
  type: string,
  accept: 'accept-post' | 'accept-patch'
): Promise<string> {
  const [given = ''] = request.headers['content-type']?.split(';') ?? []
  if (given.trim().toLowerCase() !== type)
    throw new Problem(415, `the content type must be ${type} (got "${given}")`, { [accept]: type })
  const chunks: Buffer[] = []
  let bytes = 0
  // The connection stays, for the response.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    if ((bytes += chunk.length) > BODY_BYTES)
      throw new Problem(413, `the body must have at most ${BODY_BYTES} bytes`, {
        connection: 'close'
      })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}
