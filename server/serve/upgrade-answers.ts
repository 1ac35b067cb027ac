// What an upgrade brings, and how it is refused.

import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { AccessError, codes } from '../../lib/errors.ts'

// RFC 6750, 2.1
export function tokenIn(authorization: string): string {
  const [, token] = /^Bearer +(\S+)$/i.exec(authorization) ?? []
  if (!token)
    throw new AccessError(codes.unauthenticated, 'Authorization must be Bearer, and a token')
  return token
}

const EXTRA_HEADERS: Record<number, string> = {
  401: '\r\nwww-authenticate: Bearer',
  426: '\r\nupgrade: websocket\r\nsec-websocket-version: 13'
}

/** Answers an upgrade with a status and a sentence, and ends the connection. */
export function refuse(socket: Duplex, status: number, message: string) {
  socket.on('error', () => {}) // Whoever is refused may be gone already.
  socket.once('finish', () => socket.destroy()) // Or stay.
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: text/plain${EXTRA_HEADERS[status] ?? ''}\r\nconnection: close\r\n\r\n${message}\n`
  )
}
