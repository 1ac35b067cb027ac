// The broadcast example, as RFC 9725 and the draft of WHEP want it: statuses, headers and answers.

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as mediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type ServiceOptions, serviceOf } from '../../examples/broadcast/http.ts'
import { afterTest, cleanUp } from '../helper.ts'
import { fragmentOf, type OfferOptions, offerOf } from './offers.ts'
import { patch, post, sessionOf } from './whip.ts'

cleanUp(test)

let worker: ms.Worker

test.before(async () => {
  worker = await mediasoup.createWorker()
  const listenInfo = { protocol: 'udp', ip: '127.0.0.1' } as const
  worker.appData.webRtcServer = await worker.createWebRtcServer({ listenInfos: [listenInfo] })
})
test.after(() => worker.close())

/** The URL of a service without broadcasts. */
async function serve(tokens: ServiceOptions['tokens'] = {}): Promise<string> {
  const service = serviceOf({ nextWorker: () => worker, routerSize: 100, tokens, page: '' })
  const server = createServer(service).listen(0, '127.0.0.1')
  afterTest(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('a session has a location, an ETag and an answer with the roles of the other side', async () => {
  const url = await serve()
  const published = await post(url, 'whip/demo', offerOf())
  assert.is(published.status, 201)
  assert.is(published.headers.get('content-type'), 'application/sdp')
  assert.match(published.headers.get('etag')!, /^"[^"]+"$/)
  const answer = await published.text()
  for (const line of ['a=ice-lite', 'a=setup:passive', 'a=recvonly', 'a=candidate', 'BUNDLE 0 1'])
    assert.match(answer, line)

  const active = await post(url, 'whep/demo', offerOf({ direction: 'recvonly', setup: 'passive' }))
  assert.match(await active.text(), 'a=setup:active')
  const silent = await post(url, 'whip/silent', offerOf({ kinds: ['video'], video: 'H264' }))
  assert.is(silent.status, 201)
  // Of what is not published, an offer may have a section: nothing is sent there.
  const both = await post(url, 'whep/silent', offerOf({ direction: 'recvonly', video: 'H264' }))
  assert.match(await both.text(), /m=audio [^]*a=inactive[^]*m=video [^]*a=sendonly/)
})

test('candidates are taken, other credentials restart ICE, and If-Match says of which session', async () => {
  const url = await serve()
  const published = await post(url, 'whip/demo', offerOf({ ufrag: 'aaaa' }))
  const [session, etag] = [sessionOf(published), published.headers.get('etag')!]
  const statusOf = async (body: string, headers: HeadersInit) =>
    (await patch(session, body, headers)).status
  assert.is(await statusOf(fragmentOf('aaaa'), { 'if-match': etag }), 204)
  assert.is(await statusOf(fragmentOf('aaaa'), {}), 428)
  assert.is(await statusOf(fragmentOf('aaaa'), { 'if-match': '"other"' }), 412)
  assert.is(await statusOf('a=mid:0\r\n', { 'if-match': etag }), 400)
  assert.is(await statusOf('', { 'if-match': etag, 'content-type': 'application/sdp' }), 415)

  const restarted = await patch(session, fragmentOf('bbbb'), { 'if-match': '*' })
  assert.is(restarted.status, 200)
  assert.is(restarted.headers.get('content-type'), 'application/trickle-ice-sdpfrag')
  const passwords = [await published.text(), await restarted.text()].map(
    text => /a=ice-pwd:(.*)/.exec(text)![1]
  )
  assert.is.not(passwords[0], passwords[1])
  assert.is(await statusOf(fragmentOf('bbbb'), { 'if-match': etag }), 412)
  const renewed = restarted.headers.get('etag')!
  assert.is(await statusOf(fragmentOf('bbbb'), { 'if-match': renewed }), 204)
})

test('a deleted session is gone, and with that of the publisher all others', async () => {
  const url = await serve()
  const { routerIds: before } = await worker.dump()
  const published = await post(url, 'whip/demo', offerOf())
  const watching = [
    await post(url, 'whep/demo', offerOf({ direction: 'recvonly' })),
    await post(url, 'whep/demo', offerOf({ direction: 'recvonly' }))
  ] as const
  const [publisher, first, second] = [published, ...watching].map(sessionOf) as [URL, URL, URL]
  assert.is((await fetch(first, { method: 'DELETE' })).status, 200)
  assert.is((await fetch(first, { method: 'DELETE' })).status, 404)
  assert.is((await fetch(second)).status, 204)
  assert.is((await fetch(publisher, { method: 'DELETE' })).status, 200)
  assert.equal([await statusOf(publisher), await statusOf(second)], [404, 404])
  assert.equal((await worker.dump()).routerIds, before)
  const early = await post(url, 'whep/demo', offerOf({ direction: 'recvonly' }))
  assert.is(early.status, 409)
  assert.ok(Number(early.headers.get('retry-after')) > 0)
  assert.is((await post(url, 'whip/demo', offerOf())).status, 201)
})

const refusals: [why: string, status: number, options: OfferOptions, path?: string][] = [
  ['a direction that is not to publish', 422, { direction: 'recvonly' }],
  ['a direction that is not to watch', 422, { direction: 'sendonly' }, 'whep/demo'],
  ['two sections of one kind', 422, { kinds: ['video', 'video'] }],
  ['a kind that is not media', 422, { kinds: ['audio', 'application'] }],
  ['sections that are not bundled', 422, { group: '0' }],
  ['a codec that mediasoup does not have', 422, { video: 'theora' }],
  ['a codec that is not published', 422, { video: 'H264', direction: 'recvonly' }, 'whep/demo'],
  ['no media', 400, { kinds: [] }],
  ['an unknown role in DTLS', 400, { setup: 'nobody' }],
  ['a second publisher', 409, {}, 'whip/demo']
]

test('a wrong request gets a problem document that says what is wrong', async () => {
  const url = await serve()
  assert.is((await post(url, 'whip/demo', offerOf())).status, 201)
  for (const [why, status, options, path = 'whip/other'] of refusals) {
    const response = await post(url, path, offerOf(options))
    assert.is(response.status, status, why)
    await saysWhy(response)
  }
  await refuses(400, post(url, 'whip/other', 'an offer'))
  await refuses(400, post(url, 'whip/other', ''))
  await refuses(413, post(url, 'whip/other', 'v=0\r\n'.padEnd(70_000)))
  const plain = await refuses(
    415,
    post(url, 'whip/other', offerOf(), { 'content-type': 'text/plain' })
  )
  assert.is(plain.headers.get('accept-post'), 'application/sdp')
  await refuses(404, fetch(`${url}/whip/demo/none`, { method: 'DELETE' }))
  await refuses(404, fetch(`${url}/whip`, { method: 'POST' }))
  const put = await refuses(405, fetch(`${url}/whip/demo`, { method: 'PUT', body: offerOf() }))
  assert.is(put.headers.get('allow'), 'OPTIONS, GET, HEAD, POST')
  // After all this the name is free, and there is nothing at it.
  assert.is((await post(url, 'whip/other', offerOf())).status, 201)
})

test('an offer that lacks a line, or has a broken one, is never an error of the server', async () => {
  const url = await serve()
  const lines = offerOf().split('\r\n').slice(0, -1)
  const broken = lines.flatMap((line, i) => [
    lines.toSpliced(i, 1).join('\r\n'),
    lines.with(i, line.replaceAll(/[: ].*/g, ':x')).join('\r\n')
  ])
  for (const offer of broken) {
    const response = await post(url, 'whip/demo', offer)
    assert.ok(response.status < 500, `${response.status} for ${offer}: ${await response.text()}`)
    if (response.ok) await fetch(sessionOf(response), { method: 'DELETE' })
  }
})

test('OPTIONS and GET say what a resource takes, to pages of other origins, too', async () => {
  const url = await serve({ whip: 'p' })
  const preflight = await fetch(`${url}/whip/demo`, { method: 'OPTIONS' })
  assert.is(preflight.status, 200)
  assert.is(preflight.headers.get('accept-post'), 'application/sdp')
  assert.is(preflight.headers.get('access-control-allow-origin'), '*')
  assert.match(preflight.headers.get('access-control-allow-methods')!, 'POST')
  assert.match(preflight.headers.get('access-control-allow-headers')!, 'Authorization')
  assert.is((await fetch(`${url}/whep/demo`)).status, 204)
  const refused = await post(url, 'whip/demo', offerOf())
  assert.match(refused.headers.get('access-control-expose-headers')!, 'Location, ETag')
})

test('who publishes and who watches has a token of its own, for the session, too', async () => {
  const url = await serve({ whip: 'publish', whep: 'watch' })
  const as = (token: string) => ({ authorization: `Bearer ${token}` })
  const missing = await refuses(401, post(url, 'whip/demo', offerOf()))
  assert.is(missing.headers.get('www-authenticate'), 'Bearer')
  const wrong = await refuses(401, post(url, 'whip/demo', offerOf(), as('watch')))
  assert.match(wrong.headers.get('www-authenticate')!, 'invalid_token')
  const published = await post(url, 'whip/demo', offerOf(), as('publish'))
  assert.is(published.status, 201)
  await refuses(401, fetch(sessionOf(published), { method: 'DELETE' }))
  const offer = offerOf({ direction: 'recvonly' })
  await refuses(401, post(url, 'whep/demo', offer, as('publish')))
  assert.is((await post(url, 'whep/demo', offer, as('watch'))).status, 201)
  const ended = await fetch(sessionOf(published), { method: 'DELETE', headers: as('publish') })
  assert.is(ended.status, 200)
})

const statusOf = async (session: URL) => (await fetch(session)).status

async function refuses(status: number, answered: Promise<Response>): Promise<Response> {
  const response = await answered
  assert.is(response.status, status)
  await saysWhy(response)
  return response
}

/** RFC 9457. */
async function saysWhy(response: Response) {
  assert.is(response.headers.get('content-type'), 'application/problem+json')
  const { status, title, detail } = (await response.json()) as Record<string, unknown>
  assert.is(status, response.status)
  assert.ok(title && detail)
}

test.run()
