// WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep) over HTTP: POST an offer to /whip/NAME to publish,
// or to /whep/NAME to watch. The session that this makes is a resource, with PATCH and DELETE.

import type { IncomingMessage, OutgoingHttpHeaders, RequestListener } from 'node:http'
import { Broadcast, type BroadcastOptions } from './broadcast.ts'
import { Problem } from './problem.ts'
import { authorize, bodyOf, type Target, targetOf } from './request.ts'
import { parseOffer } from './sdp.ts'
import type { Session } from './session.ts'

const SDP = 'application/sdp'
const FRAGMENT = 'application/trickle-ice-sdpfrag'
const RETRY_SECONDS = '2'

const CORS = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'Location, ETag, Accept-Post, Accept-Patch, Retry-After, Allow'
}

export interface ServiceOptions extends BroadcastOptions {
  /** The bearer tokens of those who publish (WHIP) and of those who watch (WHEP): if there are. */
  tokens: Partial<Record<Target['protocol'], string>>
  /** What a browser gets at /. */
  page: string
}

interface Answer {
  status: number
  headers?: OutgoingHttpHeaders
  body?: string
}

/** Answers the requests of all broadcasts. */
export function serviceOf(options: ServiceOptions): RequestListener {
  const service = new Service(options)
  return async (request, response) => {
    const { status, headers, body } = await service.answer(request).catch(refusal)
    response.writeHead(status, { ...CORS, ...headers }).end(body)
  }
}

function refusal(error: unknown): Answer {
  if (!(error instanceof Problem)) console.error(error)
  const problem = error instanceof Problem ? error : new Problem(500, 'the server has failed')
  const headers = { ...problem.headers, 'content-type': 'application/problem+json' }
  return { status: problem.status, headers, body: JSON.stringify(problem) }
}

class Service {
  readonly #options: ServiceOptions
  readonly #broadcasts = new Map<string, Promise<Broadcast>>()

  constructor(options: ServiceOptions) {
    this.#options = options
  }

  async answer(request: IncomingMessage): Promise<Answer> {
    const [pathname = ''] = request.url!.split('?')
    if (pathname === '/' && request.method === 'GET')
      return { status: 200, headers: { 'content-type': 'text/html' }, body: this.#options.page }
    const target = targetOf(pathname)
    if (request.method === 'OPTIONS') return describe(target)
    authorize(request, this.#options.tokens[target.protocol])
    const session = target.id === undefined ? undefined : await this.#find(target)
    switch (request.method) {
      case 'GET':
      case 'HEAD':
        return { status: 204 }
      case 'POST':
        if (!session) return this.#create(request, target)
        break
      case 'PATCH':
        if (session) return patch(request, session)
        break
      case 'DELETE':
        if (session) {
          session.close()
          return { status: 200 }
        }
    }
    throw new Problem(405, `${request.method} is not for this resource`, { allow: allowed(target) })
  }

  async #find({ protocol, name, id }: Target): Promise<Session> {
    const broadcast = await this.#broadcasts.get(name)?.catch(() => undefined)
    const { publisher, viewers } = broadcast ?? {}
    const session = protocol === 'whep' ? viewers?.get(id!) : publisher
    if (session?.id !== id) throw new Problem(404, 'there is no such session')
    return session!
  }

  async #create(request: IncomingMessage, { protocol, name }: Target): Promise<Answer> {
    const text = await bodyOf(request, SDP, 'accept-post')
    const session =
      protocol === 'whip' ? await this.#publish(name, text) : await this.#watch(name, text)
    const location = `/${protocol}/${name}/${session.id}`
    const headers = { 'content-type': SDP, location, etag: session.etag, 'accept-patch': FRAGMENT }
    return { status: 201, headers, body: session.answer }
  }

  async #publish(name: string, text: string): Promise<Session> {
    const offer = parseOffer(text, 'sendonly')
    if (this.#broadcasts.has(name)) throw new Problem(409, `${name} is being published already`)
    const opened = Broadcast.open(offer, this.#options)
    this.#broadcasts.set(name, opened)
    try {
      const { publisher } = await opened
      publisher.onceClosed(() => this.#broadcasts.delete(name))
      return publisher
    } catch (error) {
      this.#broadcasts.delete(name)
      throw error
    }
  }

  async #watch(name: string, text: string): Promise<Session> {
    const offer = parseOffer(text, 'recvonly')
    const broadcast = await this.#broadcasts.get(name)?.catch(() => undefined)
    if (broadcast) return broadcast.watch(offer)
    throw new Problem(409, `nobody publishes ${name}`, { 'retry-after': RETRY_SECONDS })
  }
}

/** Adds candidates, or restarts ICE. */
async function patch(request: IncomingMessage, session: Session): Promise<Answer> {
  const text = await bodyOf(request, FRAGMENT, 'accept-patch')
  const match = request.headers['if-match']
  if (!match) throw new Problem(428, 'If-Match must have the ETag of the ICE session, or *')
  if (match !== '*' && !match.split(/\s*,\s*/).includes(session.etag))
    throw new Problem(412, 'If-Match is not the ETag of the ICE session')
  const { fragment } = await session.patch(text)
  if (!fragment) return { status: 204 }
  return { status: 200, headers: { 'content-type': FRAGMENT, etag: session.etag }, body: fragment }
}

/** The answer to OPTIONS, which is also the preflight of browsers. */
function describe(target: Target): Answer {
  const accept = target.id === undefined ? { 'accept-post': SDP } : { 'accept-patch': FRAGMENT }
  const headers = {
    ...accept,
    allow: allowed(target),
    'access-control-allow-methods': allowed(target),
    'access-control-allow-headers': 'Authorization, Content-Type, If-Match',
    'access-control-max-age': '86400'
  }
  return { status: 200, headers }
}

const allowed = ({ id }: Target) =>
  `OPTIONS, GET, HEAD, ${id === undefined ? 'POST' : 'PATCH, DELETE'}`
