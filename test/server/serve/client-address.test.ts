// Whose connection it is behind a balancer: by X-Forwarded-For and the PROXY protocol, and not by
// what anybody else says.

import { once } from 'node:events'
import { type AddressInfo, connect as dial, createServer } from 'node:net'
import { Writable } from 'node:stream'
import * as localMediasoup from 'mediasoup'
import { pino } from 'pino'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { WebSocket } from 'ws'
import { connect } from '../../../client/index.ts'
import { PROTOCOL } from '../../../lib/hello.ts'
import { type ServeOptions, leaf, serve } from '../../../server/index.ts'
import { authority } from '../../certificates.ts'
import { afterTest, cleanUp, rejection, run, startLeaf, until } from '../../helper.ts'
import { binaryHeader, v4, v6 } from '../../kit/proxy-header.ts'

cleanUp(test)

const HERE = '127.0.0.1'

/** A tier that takes one session of each address, and whose log is kept. */
async function open(options: ServeOptions) {
  const log: { peer?: string; msg: string; reason?: string }[] = []
  const logger = pino(
    { level: 'debug' },
    new Writable({ write: (line, _encoding, done) => done(void log.push(JSON.parse(line))) })
  )
  const limits = { sessionsPerAddress: 1 }
  const server = await serve(leaf(localMediasoup), { insecure: true, limits, logger, ...options })
  afterTest(() => server.close())
  return { url: server.url, log, peers: () => opened(log).map(({ peer }) => peer) }
}

const opened = <T extends { msg: string }>(log: T[]) =>
  log.filter(({ msg }) => msg === 'session opened')

/** The status of an upgrade. A connection that is let in says hello, and stays. */
async function knock(url: string, forwarded?: string | string[]) {
  const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }
  // Several headers of a name, too.
  const socket = new WebSocket(url, PROTOCOL, { headers: headers as Record<string, string> })
  afterTest(() => socket.terminate())
  socket.on('error', () => {}) // The status tells.
  const status = await Promise.race([
    once(socket, 'open').then(() => 101),
    once(socket, 'unexpected-response').then(([, { statusCode }]) => statusCode as number)
  ])
  if (status !== 101) return status
  socket.send('{"jsonrpc":"2.0","id":1,"method":"tier.hello","params":[]}')
  await once(socket, 'message')
  return status
}

/** A balancer that forwards bytes. It writes some of its own first, each piece by itself. */
async function balancer(url: string, ...pieces: Buffer[]) {
  const server = createServer(client => {
    const upstream = dial(Number(new URL(url).port), HERE)
    upstream.setNoDelay().on('error', () => client.destroy())
    client.on('error', () => upstream.destroy())
    client.on('close', () => upstream.destroy())
    upstream.on('connect', async () => {
      for (const piece of pieces) {
        upstream.write(piece)
        await new Promise(setImmediate)
      }
      client.pipe(upstream).pipe(client)
    })
  }).listen(0, HERE)
  await once(server, 'listening')
  afterTest(() => server.close())
  return url.replace(/\d+$/, String((server.address() as AddressInfo).port))
}

const forwarded: Record<string, [header: string | string[], address: string]> = {
  'one address': ['192.0.2.1', '192.0.2.1'],
  'what the client itself has said before': ['198.51.100.9, 192.0.2.2', '192.0.2.2'],
  'a trusted one behind it': ['192.0.2.3, 10.1.2.3', '192.0.2.3'],
  'several headers': [['198.51.100.9, 192.0.2.4', '10.1.2.3'], '192.0.2.4'],
  'a port': ['192.0.2.5:50000', '192.0.2.5'],
  IPv6: ['2001:db8:1::6', '2001:db8:1::6'],
  'IPv6 with a port': ['[2001:db8:2::7]:50000', '2001:db8:2::7'],
  'IPv4, written as IPv6': ['192.0.2.8, ::ffff:10.1.2.3', '192.0.2.8'],
  'trusted ones only': ['10.9.9.9', '10.9.9.9'],
  'what is no address': ['192.0.2.1, unknown', HERE],
  'no address behind a trusted one': ['192.0.2.1, <script>, 10.7.7.7', '10.7.7.7']
}

test('behind a trusted proxy the client is the last in X-Forwarded-For that is not trusted', async () => {
  const { url, peers } = await open({ trustProxy: [HERE, '10.0.0.0/8'] })
  for (const [name, [header, address]] of Object.entries(forwarded)) {
    assert.is(await knock(url, header), 101, name)
    assert.is(peers().at(-1), address, name)
  }
  // The limit of an address counts the client, wherever else it says that it is.
  assert.is(await knock(url, '192.0.2.2'), 429)
  assert.is(await knock(url, '203.0.113.1, 192.0.2.2'), 429)
  assert.is(await knock(url, '203.0.113.1'), 101)
})

test('without trust in it, what a peer says of itself is ignored', async () => {
  for (const trustProxy of [undefined, ['10.0.0.0/8', '::1']]) {
    const { url, peers } = await open({ trustProxy })
    assert.is(await knock(url, '192.0.2.1'), 101)
    assert.equal(peers(), [HERE])
    assert.is(await knock(url, '192.0.2.2'), 429)
  }
})

const half = (header: Buffer) => [
  header.subarray(0, 7),
  header.subarray(7, 14),
  header.subarray(14)
]

const headers: Record<string, [pieces: Buffer[], address: string]> = {
  'version 2': [[binaryHeader(0x21, 0x11, v4('192.0.2.1'))], '192.0.2.1'],
  'version 2, IPv6': [[binaryHeader(0x21, 0x21, v6(0x2001, 0xdb8, 2))], '2001:db8::2'],
  'version 2, in pieces': [half(binaryHeader(0x21, 0x11, v4('192.0.2.3'))), '192.0.2.3'],
  'version 2, TLVs': [
    [binaryHeader(0x21, 0x11, Buffer.concat([v4('192.0.2.4'), Buffer.from([4, 0, 1, 0])]))],
    '192.0.2.4'
  ],
  'version 1': [[Buffer.from('PROXY TCP4 192.0.2.5 10.0.0.1 50000 443\r\n')], '192.0.2.5'],
  'version 2, LOCAL': [[binaryHeader(0x20, 0)], HERE]
}

for (const isSecure of [false, true]) {
  const name = isSecure ? 'before TLS' : 'before HTTP'
  test(`a trusted proxy says ${name} in a PROXY header whose connection it is`, async () => {
    const { ca, issue } = await authority()
    const tls = isSecure ? await issue('tier') : undefined
    const access = { tls: isSecure ? { ca } : undefined, reconnect: false } as const
    const { url, log, peers } = await open({ tls, trustProxy: [HERE], proxyProtocol: true })
    for (const [name, [pieces, address]] of Object.entries(headers)) {
      const mediasoup = await connect(await balancer(url, ...pieces), access)
      afterTest(() => mediasoup.close())
      assert.is(peers().at(-1), address, name)
    }
    const [again] = headers['version 2, in pieces']!
    const refusal = await rejection(connect(await balancer(url, ...again), access))
    assert.match(refusal.message, /429/)
    if (!isSecure) return
    const stranger = dial(Number(new URL(await balancer(url, ...again)).port), HERE)
    afterTest(() => stranger.destroy())
    stranger.on('error', () => {}).write('this is no handshake of TLS')
    await until(() =>
      log.some(({ peer, reason = '' }) => peer === '192.0.2.3' && /^TLS: /.test(reason))
    )
  })
}

test('a trusted proxy of the PROXY protocol that sends no header is refused, and logged', async () => {
  const { url, log } = await open({ trustProxy: [HERE], proxyProtocol: true })
  await rejection(connect(url, { reconnect: false }))
  await until(() => log.some(({ msg }) => msg === 'refused'))
  const { peer, reason } = log.find(({ msg }) => msg === 'refused')!
  assert.is(peer, HERE)
  assert.is(reason, 'a connection of a trusted proxy begins with a header of the PROXY protocol')
})

test('a PROXY header of anybody else is no HTTP', async () => {
  const header = binaryHeader(0x21, 0x11, v4('192.0.2.1'))
  for (const options of [
    {},
    { trustProxy: [HERE] },
    { trustProxy: ['::1'], proxyProtocol: true }
  ]) {
    const { url, peers } = await open(options)
    const refusal = await rejection(connect(await balancer(url, header), { reconnect: false }))
    assert.match(refusal.message, /400/)
    assert.is(await knock(url), 101)
    assert.equal(peers(), [HERE])
  }
})

test('behind a PROXY header X-Forwarded-For counts only from whom is trusted as well', async () => {
  const { url, peers } = await open({ trustProxy: [HERE, '10.0.0.0/8'], proxyProtocol: true })
  const steps: [header: Buffer, address: string][] = [
    [binaryHeader(0x21, 0x11, v4('10.0.0.9')), '203.0.113.1'],
    [binaryHeader(0x21, 0x11, v4('192.0.2.1')), '192.0.2.1'],
    [binaryHeader(0x20, 0), HERE]
  ]
  for (const [header, address] of steps) {
    assert.is(await knock(await balancer(url, header), '203.0.113.1'), 101)
    assert.is(peers().at(-1), address)
  }
})

test('mafalda serve has both as options, and says what is wrong with a network', async () => {
  const tier = leaf(localMediasoup)
  for (const network of ['10.0.0.0/33', '10.0.0/8', 'balancer', '', '10.0.0.0/8/8', '::/x']) {
    const error = await rejection(serve(tier, { insecure: true, trustProxy: [network] }))
    assert.match(error.message, `like 10.0.0.0/8 or ::1 (got ${network})`)
  }
  const { message } = await rejection(serve(tier, { insecure: true, proxyProtocol: true }))
  assert.is(message, 'the PROXY protocol is taken from trusted proxies: say which they are')
  const error = await rejection(serve(tier, { trustProxy: ['10.0.0.7'] }))
  assert.is((error as NodeJS.ErrnoException).code, 'ERR_INSECURE')
  const cli = run(['serve', '--listen', '127.0.0.1:0', '--insecure', '--trust-proxy', '10.0.0.1,x'])
  assert.is((await cli.exited)[0], 1)
  assert.match(cli.errors.join('\n'), '(got x)')

  const trust = ['--insecure', '--trust-proxy', '10.0.0.0/8,127.0.0.1']
  const { url, lines } = await startLeaf([...trust, '--proxy-protocol'])
  const header = binaryHeader(0x21, 0x11, v4('10.1.2.3'))
  assert.is(await knock(await balancer(url, header), '192.0.2.1'), 101)
  await until(() => lines.some(line => line.includes('"peer":"192.0.2.1"')))
})

test.run()
