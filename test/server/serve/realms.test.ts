// Whose Producers a session may consume: those of its realm, which its token or certificate says,
// and the tier above passes on.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import * as localMediasoup from 'mediasoup'
import { pino } from 'pino'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Token, connect, remote } from '../../../client/index.ts'
import type { Tier } from '../../../lib/index.ts'
import { horizontal, vertical } from '../../../proxy/index.ts'
import { leaf, serve } from '../../../server/index.ts'
import { flows, lender, stage } from '../../borrowing.ts'
import { authority } from '../../certificates.ts'
import { afterTest, audio, cleanUp, raw, rejection } from '../../helper.ts'
import { AUDIENCE, secretIssuer } from '../../tokens.ts'

cleanUp(test)

const logger = pino({ level: 'silent' })

async function open(tier: Tier, tokens: { key: Buffer } | undefined) {
  const server = await serve(tier, {
    logger,
    ...(tokens && { tokens: { audience: AUDIENCE, secret: tokens.key } })
  })
  afterTest(() => server.close())
  return server.url
}

async function use(url: string, token: Token) {
  const mediasoup = await connect(url, { token, reconnect: false })
  afterTest(() => mediasoup.close())
  return mediasoup
}

const host = () => leaf(localMediasoup)

/** A leaf, and trees over one, whose doors want tokens. */
const doors: Record<string, () => Promise<{ url: string; issue: Issue }>> = {
  'a leaf': async () => {
    const issuer = secretIssuer()
    return { url: await open(host(), issuer), issue: issuer.issue }
  },
  'a tree': async () => {
    const [above, below] = [secretIssuer(), secretIssuer()]
    const token = await below.issue({ sub: 'proxy' })
    const hosts = await Promise.all([open(host(), below), open(host(), below)])
    const cluster = horizontal(hosts.map(url => remote(url, { token })))
    afterTest(() => cluster.close())
    return { url: await open(vertical(cluster), above), issue: above.issue }
  }
}

type Claims = { sub: string; realm?: string }
type Issue = ReturnType<typeof secretIssuer>['issue']

for (const [name, start] of Object.entries(doors)) {
  test(`at ${name} a realm is that of the token, else its subject`, async () => {
    const { url, issue } = await start()
    const lent = await lender(await use(url, await issue({ sub: 'one', realm: 'shared' })))
    const other = await lender(await use(url, await issue({ sub: 'two' })))
    const consumes = async (claims: Claims, producerId: string) => {
      const { consume } = await stage(await use(url, await issue(claims)))
      return consume(producerId)
    }
    await flows(lent.producer, await consumes({ sub: 'two', realm: 'shared' }, lent.producer.id))
    await flows(other.producer, await consumes({ sub: 'two' }, other.producer.id))
    for (const [claims, { id }] of [
      [{ sub: 'one' }, lent.producer],
      [{ sub: 'two', realm: 'another' }, lent.producer],
      [{ sub: 'shared' }, lent.producer],
      [{ sub: 'one', realm: 'two' }, other.producer]
    ] as const) {
      const { connection } = await use(url, await issue(claims))
      const error = await rejection(connection.find(id))
      assert.is(error.message, `Producer with id "${id}" not found`)
    }
  })
}

test('a client says no realm of its own: not in the opening, and not in a search', async () => {
  const issuer = secretIssuer()
  const url = await open(host(), issuer)
  const lent = await lender(await use(url, await issuer.issue({ realm: 'theirs' })))
  const theirs = lent.producer.id
  const opening = { session: 'a'.repeat(16), secret: 'b'.repeat(16), received: 0 }
  const search = async (scope: string, realm: string | undefined) => {
    const token = await issuer.issue({ sub: 'ours', scope })
    const peer = await raw(url, { headers: { authorization: `Bearer ${token}` } })
    const session = `${opening.session}${scope.length}`
    assert.ok((await peer.call('tier.open', { ...opening, session, realm })).result)
    return peer
  }
  // That of the token `theirs`, as a tier above would pass it on.
  const realm = createHash('sha256').update('realm theirs').digest('base64url')

  const client = await search('observe create', realm)
  const found = await client.call('tier.find', { producerId: theirs })
  assert.is(found.error?.message, `Producer with id "${theirs}" not found`)
  const searched = await client.call('tier.search', { producerId: theirs, realm })
  assert.match(String(searched.error?.message), 'operate')

  const tier = await search('observe create operate', realm)
  assert.ok((await tier.call('tier.find', { producerId: theirs })).result)
})

test('a session keeps its realm: no other token of its subject changes it', async () => {
  const issuer = secretIssuer()
  const url = await open(host(), issuer)
  const issue = (realm: string) => issuer.issue({ sub: 'one', realm })
  const connectAs = async (realm: string) =>
    raw(url, { headers: { authorization: `Bearer ${await issue(realm)}` } })
  const key = { session: 'c'.repeat(16), secret: 'd'.repeat(16) }
  const peer = await connectAs('first')
  assert.ok((await peer.call('tier.open', { ...key, received: 0 })).result)
  const renewed = await peer.call('tier.authenticate', { token: await issue('second') })
  assert.is(renewed.error?.message, 'a token is renewed for the realm that it was for')
  const other = await connectAs('second')
  const resumed = await other.call('tier.open', { ...key, received: 0, resume: true })
  assert.match(String(resumed.error?.message), 'the session')
  const same = await connectAs('first')
  assert.ok((await same.call('tier.open', { ...key, received: 0, resume: true })).result)
})

test('what a session borrows counts within its limits, and not within those of the lender', async () => {
  const server = await serve(host(), {
    logger,
    limits: { consumers: 1, producers: 1, transports: 2 }
  })
  afterTest(() => server.close())
  const open = async () => {
    const mediasoup = await connect(server.url, { reconnect: false })
    afterTest(() => mediasoup.close())
    return mediasoup
  }
  const lent = await lender(await open())
  const { consume, transport, router } = await stage(await open())
  await flows(lent.producer, await consume(lent.producer.id))
  for (const [refused, quota] of [
    [consume(lent.producer.id), 'consumers'],
    [transport.produce(audio()), 'producers'],
    [router.createDirectTransport(), 'transports']
  ] as const)
    assert.match((await rejection(refused)).message, `a session has at most`, quota)
  await lent.router.createDirectTransport()
})

test('what a session makes on a borrowed Router counts within its limits, and so does the Router', async () => {
  const server = await serve(host(), { logger, limits: { routers: 1, transports: 2 } })
  afterTest(() => server.close())
  const lent = await lender(await connect(server.url, { reconnect: false }))
  afterTest(() => lent.mediasoup.close())
  const peer = await raw(server.url)
  const borrow = () => peer.call('tier.borrow', { producerId: lent.producer.id })
  const { router } = (await borrow()).result as { router: string }
  const listenInfo = { protocol: 'udp', ip: '127.0.0.1' }
  const pipe = () => peer.call('Router.createPipeTransport', router, { listenInfo })
  assert.ok((await pipe()).result)
  assert.ok((await pipe()).result)
  assert.match(String((await pipe()).error?.message), 'a session has at most 2 transports')
  assert.match(String((await borrow()).error?.message), 'a session has at most 1 routers')
  assert.is((await peer.call('Router.close', router)).error, undefined)
  const again = (await borrow()).result as { router: string }
  assert.is.not(again.router, router)
})

test('without tokens the realm is the subject of the certificate', async () => {
  const clients = await authority()
  const server = await serve(host(), {
    logger,
    tls: { ...(await clients.issue('leaf')), ca: clients.ca }
  })
  afterTest(() => server.close())
  const as = async (name: string) => {
    const tls = { ca: readFileSync(clients.ca), ...(await clients.issue(name)) }
    const mediasoup = await connect(server.url, { tls, reconnect: false })
    afterTest(() => mediasoup.close())
    return mediasoup
  }
  const { producer } = await lender(await as('one.example'))
  const { consume } = await stage(await as('one.example'))
  await flows(producer, await consume(producer.id))
  const foreign = await stage(await as('two.example'))
  const error = await rejection(foreign.consume(producer.id))
  assert.is(error.message, `Producer with id "${producer.id}" not found`)
})

test.run()
