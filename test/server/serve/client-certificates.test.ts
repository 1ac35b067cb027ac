// Client certificates: what they opened ends with them, and belongs to their subject.

import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TLSSocket, connect as connectTls } from 'node:tls'
import * as localMediasoup from 'mediasoup'
import { pino } from 'pino'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type RemoteOptions, connect } from '../../../client/index.ts'
import { codes } from '../../../lib/errors.ts'
import { type ServeOptions, type ServerTls, leaf, serve } from '../../../server/index.ts'
import { subjectOf } from '../../../server/serve/certificate-subject.ts'
import { authority } from '../../certificates.ts'
import { afterTest, cleanUp, raw, rejection, until } from '../../helper.ts'

cleanUp(test)

// Later than a machine that is busy takes to connect.
const SOON_MS = 4_000

const soon = () => new Date(Math.ceil((Date.now() + SOON_MS) / 1000) * 1000)

async function open(tls: ServerTls, options: ServeOptions = {}) {
  const server = await serve(leaf(localMediasoup), {
    logger: pino({ level: 'silent' }),
    tls,
    ...options
  })
  afterTest(() => server.close())
  return server
}

/** A tier that asks for certificates of an authority, and what a client needs to come in. */
async function openMutual(options: ServeOptions = {}, more: Partial<ServerTls> = {}) {
  const clients = await authority()
  const ca = readFileSync(clients.ca)
  const server = await open({ ...(await clients.issue('leaf')), ca: clients.ca, ...more }, options)
  return { ...clients, server, url: server.url, trusted: ca }
}

async function use(url: string, tls: RemoteOptions['tls']) {
  const mediasoup = await connect(url, { tls, reconnect: false })
  afterTest(() => mediasoup.close())
  const told: string[] = []
  for (const event of ['lost', 'died'] as const)
    mediasoup.connection.on(event, ({ message }) => told.push(`${event}: ${message}`))
  mediasoup.connection.on('regained', () => told.push('regained'))
  return { mediasoup, told }
}

const key = { session: 's'.repeat(16), secret: 'x'.repeat(32), received: 0 }

test('a connection ends when its certificate has expired; its session goes on with the next one', async () => {
  const { url, issue, trusted } = await openMutual()
  const files = await issue('tier', undefined, { ends: soon() })
  const { mediasoup, told } = await use(url, { ca: trusted, ...files })
  const worker = await mediasoup.createWorker()
  await issue('tier', files)
  await until(() => told.includes('regained'))
  assert.equal(told, [
    'lost: the connection was lost: the certificate of the client has expired',
    'regained'
  ])
  assert.ok((await worker.dump()).pid)
})

test('who has no other certificate when the own one expires loses the session, with its grace', async () => {
  const { url, server, issue, trusted } = await openMutual({ grace: 200 })
  const { mediasoup, told } = await use(url, {
    ca: trusted,
    ...(await issue('tier', undefined, { ends: soon() }))
  })
  const worker = await mediasoup.createWorker()
  await until(() => server.sessions === 0)
  await until(() => worker.closed)
  assert.match(
    told.join(),
    'lost: the connection was lost: the certificate of the client has expired'
  )
})

test('when the authority is replaced, connections of the old one end, and those of both go on', async () => {
  const [old, next] = [await authority('Old'), await authority('Next')]
  const ca = join(old.path, 'clients.crt')
  const trusted = readFileSync(old.ca)
  writeFileSync(ca, [trusted, readFileSync(next.ca)].join('\n'))
  const server = await open({ ...(await old.issue('leaf')), ca }, { grace: 200 })
  const before = await use(server.url, { ca: trusted, ...(await old.issue('before')) })
  const after = await use(server.url, { ca: trusted, ...(await next.issue('after')) })
  const [lost, kept] = [await before.mediasoup.createWorker(), await after.mediasoup.createWorker()]

  copyFileSync(next.ca, ca)
  server.reload()
  await until(() => lost.closed)
  assert.is(
    before.told[0],
    'lost: the connection was lost: the authorities of this tier have changed: the certificate of the client is to be verified again'
  )
  assert.ok((await kept.dump()).pid)
  assert.equal(after.told, [])
})

test('a certificate is vouched for by way of the one between, up to an authority that signs itself', async () => {
  const [root, other] = [await authority('Root'), await authority('Other')]
  const middle = await authority('Middle', root.root)
  const trusted = readFileSync(root.ca)
  const ca = join(root.path, 'clients.crt')
  const trust = (...files: string[]) =>
    writeFileSync(ca, files.map(file => readFileSync(file)).join('\n'))
  trust(root.ca)
  const server = await open({ ...(await root.issue('leaf')), ca }, { grace: 200 })
  const { mediasoup, told } = await use(server.url, { ca: trusted, ...(await middle.issue('app')) })
  const worker = await mediasoup.createWorker()
  for (const files of [
    [other.ca, root.ca],
    [middle.ca, other.ca, root.ca],
    [middle.ca, root.ca]
  ]) {
    trust(...files)
    server.reload()
    assert.ok((await worker.dump()).pid)
  }
  // That of `other` is gone, and who is in between is known by the files.
  assert.equal(told, [])
  // Now it is not known any more: the client shows it again.
  trust(root.ca)
  server.reload()
  await until(() => told.includes('regained'))
  assert.ok((await worker.dump()).pid)
  trust(middle.ca, other.ca)
  server.reload()
  await until(() => worker.closed)
})

test('a list of revoked certificates ends the connections of these, and lets in no other', async () => {
  const clients = await authority()
  const ca = readFileSync(clients.ca)
  const crl = await clients.revoke(join(clients.path, 'revoked.crl'))
  const [own, good, bad] = await Promise.all(
    ['leaf', 'good', 'bad'].map(name => clients.issue(name))
  )
  const server = await open({ ...own!, ca: clients.ca, crl }, { grace: 200 })
  const [kept, ended] = [
    await use(server.url, { ca, ...good }),
    await use(server.url, { ca, ...bad })
  ]
  const worker = await kept.mediasoup.createWorker()
  const lost = await ended.mediasoup.createWorker()

  await clients.revoke(crl, [bad!.cert])
  server.reload()
  await until(() => lost.closed)
  assert.is(
    ended.told[0],
    'lost: the connection was lost: the certificate of the client is revoked'
  )
  assert.ok((await worker.dump()).pid)
  assert.equal(kept.told, [])
  const error = await rejection(connect(server.url, { tls: { ca, ...bad }, reconnect: false }))
  assert.match(error.message, /revoked|ECONNRESET|hang up/)
})

/** What a client could come back with, without its certificate being looked at. */
async function ticketOf(url: string, tls: object, session?: Buffer) {
  const { hostname: host, port } = new URL(url)
  const socket: TLSSocket = connectTls({ host, port: Number(port), ...tls, session })
  const tickets: Buffer[] = []
  socket.on('session', ticket => tickets.push(ticket))
  await once(socket, 'secureConnect')
  socket.write('GET /healthz HTTP/1.1\r\nHost: tier\r\n\r\n')
  await once(socket, 'data')
  const ticket = tickets.at(-1) ?? socket.getSession()
  const wasResumed = socket.isSessionReused()
  socket.destroy()
  return { ticket, wasResumed }
}

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`no ticket of ${version} lets a client in without a look at its certificate`, async () => {
    const { url, issue, trusted } = await openMutual()
    const { cert, key } = await issue('tier')
    const tls = {
      ca: trusted,
      cert: readFileSync(cert),
      key: readFileSync(key),
      minVersion: version,
      maxVersion: version
    }
    const { ticket } = await ticketOf(url, tls)
    assert.not((await ticketOf(url, tls, ticket)).wasResumed)
  })
}

test('a session belongs to the subject of its certificate, whichever certificate that is', async () => {
  const { url, issue, trusted } = await openMutual()
  const uri = 'spiffe://media.example/app'
  const peerOf = async (name: string, uri?: string) => {
    const { cert, key } = await issue(name, undefined, { uri })
    return raw(url, { ca: trusted, cert: readFileSync(cert), key: readFileSync(key) })
  }
  const owner = await peerOf('first', uri)
  assert.is((await owner.call('tier.open', key)).error, undefined)
  const { result } = await owner.call('mediasoup.createWorker', {})
  const { $: worker } = result as { $: string }
  owner.socket.terminate()

  const resume = { ...key, received: 1, resume: true }
  for (const other of [undefined, 'spiffe://media.example/other']) {
    const thief = await peerOf('first', other)
    assert.is((await thief.call('tier.open', resume)).error!.code, codes.session)
  }
  const again = await peerOf('renewed', uri)
  assert.is((await again.call('tier.open', resume)).error, undefined)
  assert.is((await again.call('Worker.dump', worker)).error, undefined)
})

test('the subject is the URI of a certificate, else its name with who issued it, however odd that is', async () => {
  const { issue } = await authority('Test of CN=Other')
  const subjects = [
    [{ uri: 'spiffe://media.example/app' }, 'spiffe://media.example/app'],
    [{ uri: 'spiffe://a', dns: 'b.example' }, 'spiffe://a'],
    [{ dns: 'b.example' }, 'b.example of CN=Test of CN=Other'],
    [{}, 'app%20of%20CN=Other of CN=Test of CN=Other'],
    [{ dns: 'b, URI:spiffe://a' }, 'b,%20URI:spiffe://a of CN=Test of CN=Other'],
    [{ dns: '", URI:spiffe://a, "' }, '%22,%20URI:spiffe://a,%20%22 of CN=Test of CN=Other']
  ] as const
  for (const [names, subject] of subjects) {
    const { cert } = await issue('app of CN=Other', undefined, names)
    assert.is(subjectOf(new X509Certificate(readFileSync(cert))), subject)
  }
})

test('what certificates allow is by their subject, and changes for open sessions, too', async () => {
  const clientScopes = join((await authority()).path, 'scopes.json')
  const allow = (scope: string) =>
    writeFileSync(
      clientScopes,
      JSON.stringify({ 'spiffe://media.example/*': { scope, limits: { workers: 1 } } })
    )
  allow('observe')
  const { url, server, issue, trusted } = await openMutual({ clientScopes })
  const files = await issue('app', undefined, { uri: 'spiffe://media.example/app' })
  const { mediasoup, told } = await use(url, { ca: trusted, ...files })
  assert.is(
    (await rejection(mediasoup.createWorker())).message,
    'mediasoup.createWorker needs the scope create, and the certificate has observe'
  )
  allow('create')
  server.reload()
  await mediasoup.createWorker()
  assert.is((await rejection(mediasoup.createWorker())).message, 'a session has at most 1 workers')
  const stranger = await issue('other', undefined, { uri: 'spiffe://other.example/app' })
  assert.match(
    (await rejection(connect(url, { tls: { ca: trusted, ...stranger }, reconnect: false })))
      .message,
    'it answered 403 the operator lets in no certificate of this subject'
  )
  writeFileSync(clientScopes, '{}')
  server.reload()
  await until(() => told.length === 2)
  assert.match(told.join(), 'the operator lets in no certificate of this subject')
})

test('what cannot be meant is refused at the start', async () => {
  const { ca, issue } = await authority()
  const own = await issue('leaf')
  const start = async (tls: ServerTls, options: ServeOptions = {}) =>
    (await rejection(serve(leaf(localMediasoup), { tls, ...options }))).message
  assert.match(await start({ ...own, crl: Buffer.from('') }), 'it needs a ca')
  assert.match(await start({ ...own, ca, crl: Buffer.from('') }), 'is PEM: BEGIN X509 CRL')
  const clientScopes = Buffer.from('{"*":{"scope":"everything"}}')
  assert.match(await start(own, { clientScopes }), 'need the ca of these')
  assert.match(await start({ ...own, ca }, { clientScopes }), 'takes a "scope" of observe, create')
})

test.run()
