// HTTP routes on the port of clients: who may ask, what is asked for, and the answer as JSON. A
// router of our own, because eight routes need no more than this.

import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Logger } from 'pino'
import { type Answered, Problem, type Route } from '../../../lib/http-routes.ts'
import type { ConnectionCounter } from '../connection-counter.ts'
import { isLoopback, isOriginAllowed } from '../exposure.ts'
import type { Identity } from '../identity.ts'
import { type Doors, identify, isOwnName, tellRefused } from '../request-access.ts'
import { readBody } from './body.ts'
import { type Match, matcher } from './match.ts'
import { openApi } from './openapi.ts'

// For an answer: what a route asks has shorter times of its own.
const PATIENCE_MS = 10_000

export interface RoutesOptions extends Doors {
  allowOrigins: readonly string[]
  /** Nobody is asked who they are, and only programs of this host are to come in. */
  isOpenLocally: boolean
  /** Requests that are not answered yet. */
  requests: ConnectionCounter
  logger: Logger
  /** Whether the server is shutting down. */
  isClosing(): boolean
}

/** Answers what is asked for below the paths of the routes, and leaves the rest to `others`. */
export function withRoutes(
  table: readonly Route[],
  options: RoutesOptions,
  others: RequestListener
): RequestListener {
  const document = openApi(table)
  const match = matcher([
    ...table,
    {
      method: 'GET',
      path: '/openapi.json',
      summary: 'This document',
      answers: {},
      answer: () => ({ body: document })
    }
  ])
  return (request, response) => void respond(request, response)

  async function respond(request: IncomingMessage, response: ServerResponse) {
    const [path = '', query] = request.url!.split('?')
    let leave = () => {}
    try {
      const matched = match(request.method!, path)
      if (!matched) return others(request, response)
      if (options.isClosing()) throw new Problem(503, 'the server is shutting down')
      const identity = await admit(request, matched.route)
      // Its certificate may be one that is not let in by the next request.
      if (identity.certificate) response.setHeader('connection', 'close')
      leave = count(request, identity)
      send(response, await answer(request, matched, new URLSearchParams(query), identity))
    } catch (error) {
      sendProblem(response, asProblem(error))
    } finally {
      leave()
    }
  }

  /** @throws Problem */
  async function admit(request: IncomingMessage, { method, path, scope }: Route) {
    const refusal = pageRefusal(request, options)
    const identity = refusal ?? (await identify(request, options, `${method} ${path} needs`, scope))
    if (!Array.isArray(identity)) return identity
    await tellRefused(options.addresses.of(request), identity, options)
    const [status, why] = identity
    throw new Problem(status, why, status === 401 ? { 'www-authenticate': 'Bearer' } : {})
  }

  function count(request: IncomingMessage, { subject, grant }: Identity) {
    const address = options.addresses.of(request)
    const tenant = { subject, isTier: grant?.scopes.has('operate') }
    const [status, why] = options.requests.refusal(address, tenant) ?? []
    if (status !== undefined) throw new Problem(status, why!, { 'retry-after': '1' })
    return options.requests.add(address, tenant)
  }

  function asProblem(error: unknown): Problem {
    if (error instanceof Problem) return error
    options.logger.error(error, 'a request failed')
    return new Problem(500, 'the request failed here: the log of the tier says why')
  }
}

/** Why a page in a browser may not ask, or one that has bound its name to this host. */
function pageRefusal(
  request: IncomingMessage,
  { allowOrigins, isOpenLocally }: RoutesOptions
): [status: number, why: string] | undefined {
  const { origin } = request.headers
  if (!isOriginAllowed(origin, allowOrigins))
    return [403, `pages of ${origin} may not ask: the operator allows origins by --allow-origin`]
  const isLocal = isLoopback((request.socket.localAddress ?? '').replace(/^::ffff:/, ''))
  if (isOpenLocally && isLocal && !isOwnName(request))
    return [403, 'where nobody is asked who they are, the Host must be localhost or 127.0.0.1']
}

async function answer(
  request: IncomingMessage,
  { route, params }: Match,
  query: URLSearchParams,
  { subject, grant }: Identity
): Promise<Answered> {
  const unknown = [...query.keys()].find(name => !Object.hasOwn(route.query ?? {}, name))
  if (unknown !== undefined)
    throw new Problem(
      400,
      `${route.method} ${route.path} takes the parameters ${Object.keys(route.query ?? {}).join(', ') || 'none'} (got ${unknown.slice(0, 64)})`
    )
  const body = await readBody(request, route.body !== undefined)
  const operates = grant?.scopes.has('operate') ?? true
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    const problem = new Problem(503, `the answer took more than ${PATIENCE_MS} ms`, {
      'retry-after': '1'
    })
    timer = setTimeout(() => reject(problem), PATIENCE_MS).unref()
  })
  try {
    return await Promise.race([route.answer({ params, query, body, subject, operates }), late])
  } finally {
    clearTimeout(timer)
  }
}

function send(response: ServerResponse, { status, headers, body }: Answered) {
  const text = body === undefined ? undefined : `${JSON.stringify(body)}\n`
  response.writeHead(status ?? (text === undefined ? 204 : 200), {
    'cache-control': 'no-store',
    ...(text !== undefined && { 'content-type': 'application/json' }),
    ...headers
  })
  response.end(text)
}

const sendProblem = (response: ServerResponse, problem: Problem) =>
  send(response, {
    status: problem.status,
    headers: { 'content-type': 'application/problem+json', ...problem.headers },
    body: problem
  })
