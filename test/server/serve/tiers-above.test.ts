// Limits of sessions over tiers: a tier above is not limited as one client is, its clients are
// limited there, and who has nothing on a host takes no session of it.

import * as localMediasoup from 'mediasoup'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type RemoteOptions, connect, remote } from '../../../client/index.ts'
import { codes } from '../../../lib/errors.ts'
import type { Tier } from '../../../lib/index.ts'
import { horizontal } from '../../../proxy/index.ts'
import { type ServeOptions, leaf, serve } from '../../../server/index.ts'
import { authority } from '../../certificates.ts'
import { afterTest, cleanUp, raw, rejection, until } from '../../helper.ts'
import { AUDIENCE, secretIssuer } from '../../tokens.ts'

cleanUp(test)

async function open(tier: Tier, options: ServeOptions) {
  const server = await serve(tier, options)
  afterTest(() => server.close())
  return server
}

const host = (options: ServeOptions) =>
  open(leaf(localMediasoup, { shareWorkers: true, poolSize: 1 }), options)

async function proxyOf(url: string, access: RemoteOptions = {}, options: ServeOptions = {}) {
  const cluster = horizontal([remote(url, access)])
  afterTest(() => cluster.close())
  await until(() => cluster.load.capacity)
  return open(cluster, options)
}

async function use(url: string, options: RemoteOptions = {}) {
  const mediasoup = await connect(url, { reconnect: false, ...options })
  afterTest(() => mediasoup.close())
  return mediasoup
}

/** Sessions on a tier, each with a Worker. */
async function fill(url: string, count: number) {
  for (let i = 0; i < count; i++) assert.ok(await (await use(url)).createWorker())
}

test('a session that got no Worker from a host has no session there', async () => {
  const below = await host({ limits: { sessionsPerAddress: 4 } })
  const { url } = await proxyOf(below.url)
  const own = below.sessions
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 2; i++) {
      const mediasoup = await use(url)
      const failed = mediasoup.createWorker({ workerBin: '/another' })
      assert.match((await rejection(failed)).message, 'workerBin must be the one of the host')
    }
    await until(() => below.sessions === own)
  }
  const mediasoup = await use(url)
  await rejection(mediasoup.createWorker({ workerBin: '/another' }))
  const worker = await mediasoup.createWorker()
  await rejection(mediasoup.createWorker({ workerBin: '/another' }))
  // One that comes after has nothing to do with it.
  const other = await use(url)
  await rejection(other.createWorker({ workerBin: '/another' }))
  await until(() => below.sessions === own + 1)
  assert.ok(await worker.dump())
  assert.ok(await other.createWorker())
})

test('the token of a tier above has no limit by its address or subject, and that of a client has', async () => {
  const { key: secret, issue } = secretIssuer()
  const limits = { sessionsPerAddress: 3, sessionsPerSubject: 2 }
  const below = await host({ tokens: { audience: AUDIENCE, secret }, limits })
  const { url } = await proxyOf(below.url, { token: await issue() })
  await fill(url, 5)
  const token = await issue({ scope: 'create observe', sub: 'client' })
  for (let i = 0; i < 2; i++) await use(below.url, { token })
  assert.match(
    (await rejection(use(below.url, { token }))).message,
    'it answered 429 one subject has at most 2 sessions'
  )
  const another = await issue({ scope: 'create observe', sub: 'another' })
  await use(below.url, { token: another })
  assert.match(
    (await rejection(use(below.url, { token: another }))).message,
    'it answered 429 one address has at most 3 sessions'
  )
  await fill(url, 1)
})

test('a client certificate is that of a tier above', async () => {
  const { ca, issue } = await authority()
  const { cert, key } = await issue('leaf')
  const below = await host({ tls: { cert, key, ca }, limits: { sessionsPerAddress: 3 } })
  const { url } = await proxyOf(below.url, { tls: { ca, ...(await issue('tier')) } })
  await fill(url, 5)
})

test('one subject has its share of the sessions of a tier, from wherever and however it says who it is', async () => {
  const { key: secret, issue } = secretIssuer()
  const { url } = await host({
    tokens: { audience: AUDIENCE, secret },
    limits: { sessionsPerSubject: 2 }
  })
  const tokenOf = (sub: string) => issue({ scope: 'create observe', sub })
  const first = await use(url, { token: await tokenOf('alice') })
  await use(url, { token: await tokenOf('alice') })
  const peer = await raw(url)
  const { error } = await peer.call('tier.authenticate', { token: await tokenOf('alice') })
  assert.equal(
    [error?.code, error?.message],
    [codes.sessions, 'one subject has at most 2 sessions']
  )
  await use(url, { token: await tokenOf('bob') })
  first.close()
  await until(async () => use(url, { token: await tokenOf('alice') }).catch(() => false as const))
})

test.run()
