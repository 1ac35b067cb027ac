// TLS: who is believed to be a tier, who to be a client of one, and certificates that change.

import { once } from 'node:events'
import { copyFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { connect as connectTls } from 'node:tls'
import * as localMediasoup from 'mediasoup'
import { pino } from 'pino'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ConnectionError, type RemoteOptions, connect, remote } from '../../../client/index.ts'
import { type ServeOptions, leaf, serve } from '../../../server/index.ts'
import { authority } from '../../certificates.ts'
import { afterTest, cleanUp, rejection, startLeaf, until } from '../../helper.ts'

cleanUp(test)

async function open(options: ServeOptions) {
  const server = await serve(leaf(localMediasoup), {
    logger: pino({ level: 'silent' }),
    ...options
  })
  afterTest(() => server.close())
  return server
}

/** Connects, and uses it. */
async function use(url: string, tls?: RemoteOptions['tls']) {
  const mediasoup = await connect(url, { tls, reconnect: false })
  afterTest(() => mediasoup.close())
  const worker = await mediasoup.createWorker()
  assert.ok((await worker.dump()).pid)
  return mediasoup
}

async function refused(url: string, tls: RemoteOptions['tls'], why: RegExp) {
  const error = await rejection(connect(url, { tls, reconnect: false }))
  assert.instance(error, ConnectionError)
  assert.match(error.message, why)
}

/** The name in the certificate that is shown to whoever connects. */
async function nameAt(url: string, ca: string) {
  const { hostname: host, port } = new URL(url)
  const socket = connectTls({ host, port: Number(port), ca: readFileSync(ca) })
  await once(socket, 'secureConnect')
  const { subject } = socket.getPeerCertificate()
  socket.destroy()
  return subject.CN
}

test('a tier with a certificate is at wss://, for clients that trust its authority', async () => {
  const { ca, issue } = await authority()
  const { url } = await open({ tls: await issue('leaf') })
  assert.match(url, /^wss:\/\/127\.0\.0\.1:\d+$/)
  await use(url, { ca })
  await use(url, { ca: readFileSync(ca) })
})

test('a tier that nobody vouches for, or for another name, is not believed, whatever the environment says', async () => {
  const { ca, issue } = await authority()
  const { url } = await open({ tls: await issue('leaf') })
  const { NODE_TLS_REJECT_UNAUTHORIZED } = process.env
  afterTest(() => {
    if (NODE_TLS_REJECT_UNAUTHORIZED === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
    else process.env.NODE_TLS_REJECT_UNAUTHORIZED = NODE_TLS_REJECT_UNAUTHORIZED
  })
  for (const value of ['1', '0']) {
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = value
    await refused(url, undefined, /unable to (verify|get)|self-signed/)
    await refused(
      url,
      { ca: (await authority()).ca },
      /unable to (verify|get)|certificate signature failure/
    )
    await refused(
      url.replace('127.0.0.1', 'localhost'),
      { ca },
      /does not match certificate's altnames/
    )
  }
  await use(url, { ca })
})

test('with a ca, only who has a certificate of that authority comes in', async () => {
  const { ca, issue } = await authority()
  const stranger = await authority()
  const { url } = await open({ tls: { ...(await issue('leaf')), ca } })
  await use(url, { ca, ...(await issue('tier')) })
  await refused(url, { ca }, /certificate required|ECONNRESET|hang up/)
  await refused(
    url,
    { ca, ...(await stranger.issue('tier')) },
    /unknown ca|decrypt error|ECONNRESET|hang up/
  )
})

test('client certificates are authentication enough to be reached by other hosts; a certificate alone is not', async () => {
  const { ca, issue } = await authority()
  const own = await issue('leaf')
  await open({ host: '0.0.0.0', tls: { ...own, ca } })
  const error = (await rejection(
    serve(leaf(localMediasoup), { host: '0.0.0.0', tls: own })
  )) as NodeJS.ErrnoException
  assert.is(error.code, 'ERR_INSECURE')
})

test('certificates that change are shown without a restart, and open sessions go on', async () => {
  const { ca, issue } = await authority()
  const files = await issue('before')
  const { url } = await open({ tls: files })
  const mediasoup = await use(url, { ca })
  assert.is(await nameAt(url, ca), 'before')

  // As tools replace files: by others.
  const next = await issue('after')
  renameSync(next.key, files.key)
  renameSync(next.cert, files.cert)
  await until(async () => (await nameAt(url, ca)) === 'after')
  assert.ok(await mediasoup.createWorker())
  await use(url, { ca })
})

test('certificates that cannot be used are not taken, and it is said why', async () => {
  const { ca, issue } = await authority()
  const files = await issue('before')
  const said: { msg: string; reason: string }[] = []
  const server = await open({
    tls: files,
    logger: pino({ level: 'error' }, { write: line => void said.push(JSON.parse(line)) })
  })
  const old = readFileSync(files.key)
  writeFileSync(files.key, 'this is no key')
  server.reload()
  assert.match(said[0]!.msg, /^certificates cannot be used: those before stay$/)
  assert.ok(said[0]!.reason)
  assert.is(await nameAt(server.url, ca), 'before')

  // The key of another certificate.
  copyFileSync((await issue('other')).key, files.key)
  server.reload()
  assert.match(said.at(-1)!.reason, /key values mismatch/)
  writeFileSync(files.key, old)
  server.reload()
  await use(server.url, { ca })
})

test('a new authority of clients is asked of whoever connects from then on, and of whoever is there', async () => {
  const [old, next] = [await authority(), await authority()]
  const ca = readFileSync(old.ca)
  const server = await open({ tls: { ...(await old.issue('leaf')), ca: old.ca } })
  const [before, after] = [await old.issue('before'), await next.issue('after')]
  const mediasoup = await use(server.url, { ca, ...before })
  copyFileSync(next.ca, old.ca)
  server.reload()
  await use(server.url, { ca, ...after })
  await refused(server.url, { ca, ...before }, /unknown ca|decrypt error|ECONNRESET|hang up/)
  await until(() => !mediasoup.connection.connected)
})

test('what cannot be meant is refused at once', async () => {
  const { ca, issue } = await authority()
  const { cert, key } = await issue('leaf')
  assert.throws(
    () => remote('ws://localhost:4000', { tls: { ca } }),
    /tls needs a URL like wss:\/\/host:port \(got ws:\/\/localhost:4000\/\)/
  )
  await refused('wss://127.0.0.1:1', { cert }, /a certificate and its key are given together/)
  await refused('wss://127.0.0.1:1', { ca: '/nowhere.crt' }, /ENOENT.*\/nowhere\.crt/)
  assert.match(
    (await rejection(serve(leaf(localMediasoup), { tls: { cert, key: '/nowhere.key' } }))).message,
    /ENOENT.*\/nowhere\.key/
  )
  assert.match(
    (await rejection(serve(leaf(localMediasoup), { tls: { cert: key, key } }))).message,
    /PEM|no start line/
  )
})

test('mafalda serve: a tree with TLS above and mutual TLS below, and SIGHUP', async () => {
  const [inner, outer] = [await authority(), await authority()]
  const hosts = await inner.issue('host')
  const host = await startLeaf([
    '--tls-cert',
    hosts.cert,
    '--tls-key',
    hosts.key,
    '--tls-ca',
    inner.ca
  ])
  const [above, below] = [await outer.issue('before'), await inner.issue('tier')]
  const entry = await startLeaf([
    '--vertical',
    '--tls-cert',
    above.cert,
    '--tls-key',
    above.key,
    '--ca',
    inner.ca,
    '--cert',
    below.cert,
    '--key',
    below.key,
    host.url
  ])
  const mediasoup = await use(entry.url, { ca: outer.ca })
  await refused(host.url, { ca: inner.ca }, /certificate required|ECONNRESET|hang up/)

  await outer.issue('after', above)
  entry.child.kill('SIGHUP')
  await until(async () => (await nameAt(entry.url, outer.ca)) === 'after')
  assert.ok(await mediasoup.createWorker())
})

test.run()
