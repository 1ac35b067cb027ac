// What a tier answers over HTTP: whether its process lives, and whether it takes new sessions.

import type { ServerResponse } from 'node:http'
import { PROTOCOL } from '../../lib/hello.ts'

export interface Condition {
  /** How many are open. */
  sessions: number
  closing: boolean
  draining: boolean | undefined
  /** Why no new sessions are taken, if memory is the reason. */
  overload: string | undefined
}

export function respond(url: string | undefined, condition: Condition, response: ServerResponse) {
  const [status, body] = answerTo(url, condition)
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body) + '\n')
}

function answerTo(url: string | undefined, condition: Condition): [status: number, body: object] {
  const { sessions } = condition
  switch (url) {
    case '/healthz':
      return [200, { status: 'ok', sessions }]
    case '/readyz':
      return readiness(condition)
    default:
      return [
        426,
        {
          error: `this is a Mafalda tier: connect to it by WebSocket, with the subprotocol ${PROTOCOL}`
        }
      ]
  }
}

function readiness({ closing, draining, overload }: Condition): [status: number, body: object] {
  if (closing) return [503, { status: 'closing' }]
  if (draining) return [503, { status: 'draining' }]
  if (overload) return [503, { status: 'overloaded', reason: overload }]
  return [200, { status: 'ready' }]
}
