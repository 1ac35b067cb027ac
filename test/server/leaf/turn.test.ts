// Credentials for the TURN server beside the host of a transport, on each sort of tree.

import { createHmac } from 'node:crypto'
import * as localMediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type IceServer, type RemoteMediasoup, client, remote } from '../../../client/index.ts'
import type { Tier } from '../../../lib/index.ts'
import { horizontal, vertical } from '../../../proxy/index.ts'
import { type TurnOptions, leaf, serve } from '../../../server/index.ts'
import { afterTest, cleanUp } from '../../helper.ts'

cleanUp(test)

const SECRET = Buffer.from('secret\n')
const hostOf = (name: string, options: Partial<TurnOptions> = {}) =>
  leaf(localMediasoup, { turn: { urls: [`turn:${name}:3478`], secret: SECRET, ...options } })

async function open(tier: Tier): Promise<RemoteMediasoup> {
  afterTest(() => tier.close())
  const mediasoup = await client(tier)
  afterTest(() => mediasoup.close())
  return mediasoup
}

async function serveUntilEnd(tier: Tier): Promise<string> {
  const server = await serve(tier)
  afterTest(async () => {
    await server.close()
    tier.close()
  })
  return server.url
}

async function createTransport(router: ms.Router): Promise<ms.WebRtcTransport> {
  return router.createWebRtcTransport({ listenInfos: [{ protocol: 'udp', ip: '127.0.0.1' }] })
}

const secondsLeft = ({ username }: IceServer) => Number(username.split(':')[0]) - Date.now() / 1_000

test('credentials say until when, and the secret proves it', async () => {
  const mediasoup = await open(hostOf('a', { ttl: 60 }))
  const router = await (await mediasoup.createWorker()).createRouter()
  const transport = await createTransport(router)
  const [one, other] = [
    (await mediasoup.connection.iceServers(transport))[0]!,
    (await mediasoup.connection.iceServers(transport))[0]!
  ]
  assert.equal(one.urls, ['turn:a:3478'])
  assert.ok(secondsLeft(one) > 0 && secondsLeft(one) <= 60)
  assert.is(one.credential, createHmac('sha1', 'secret').update(one.username).digest('base64'))
  assert.is.not(one.username, other.username) // Quotas are for each.
})

test('a host without a TURN server answers none', async () => {
  const mediasoup = await open(leaf(localMediasoup))
  const router = await (await mediasoup.createWorker()).createRouter()
  assert.equal(await mediasoup.connection.iceServers(await createTransport(router)), [])
})

test('the TURN server is that of the host of the transport, behind any tiers', async () => {
  const regions = await Promise.all(
    [['a', 'b'], ['c']].map(async names => {
      const urls = await Promise.all(names.map(name => serveUntilEnd(hostOf(name))))
      return remote(await serveUntilEnd(horizontal(urls.map(url => remote(url)))))
    })
  )
  const mediasoup = await open(vertical(horizontal(regions), { policy: 'scatter' }))
  const router = await (await mediasoup.createWorker()).createRouter()
  const urls = new Map<string, Set<string>>()
  for (let i = 0; i < 6; i++) {
    const transport = await createTransport(router)
    const { node } = await mediasoup.connection.locate(transport)
    const [server] = await mediasoup.connection.iceServers(transport)
    urls.set(node, (urls.get(node) ?? new Set()).add(server!.urls[0]!))
  }
  assert.ok(urls.size > 1)
  for (const ofHost of urls.values()) assert.is(ofHost.size, 1)
  assert.is(new Set([...urls.values()].map(ofHost => [...ofHost][0])).size, urls.size)
})

test('what is closed, or of somebody else, has no TURN server', async () => {
  const mediasoup = await open(hostOf('a'))
  const router = await (await mediasoup.createWorker()).createRouter()
  const transport = await createTransport(router)
  transport.close()
  const nameOf = (promise: Promise<unknown>) => promise.catch(({ name }: Error) => name)
  assert.is(await nameOf(mediasoup.connection.iceServers(transport)), 'NotFoundError')
  const other = {} as ms.WebRtcTransport
  assert.is(await nameOf(mediasoup.connection.iceServers(other)), 'TypeError')
})

test('what is wrong about a TURN server is said at once', () => {
  const make = (options: Partial<TurnOptions>) => () => hostOf('a', options)
  for (const url of ['', 'stun:a:3478', 'turn:a:3478?transport=sctp', 'turn:user@a', 'http://a'])
    assert.throws(make({ urls: [url] }), /URLs of a TURN server are like/)
  assert.throws(make({ urls: [] }), /URLs of a TURN server are like/)
  assert.throws(make({ secret: Buffer.from(' \n') }), /must not be empty/)
  assert.throws(make({ secret: '/nowhere/secret' }), /ENOENT/)
  assert.throws(make({ ttl: 0.5 }), /turn.ttl is a whole number of seconds above 0 \(got 0.5\)/)
})

test.run()
