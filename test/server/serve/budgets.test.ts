// What a session may cost, in bytes that its objects retain, in bytes that wait, and in time: it is
// bounded on each tier, and given back.

import type { Socket } from 'node:net'
import * as localMediasoup from 'mediasoup'
import { pino } from 'pino'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { connect } from '../../../client/index.ts'
import { codes } from '../../../lib/errors.ts'
import { type Link, type Tier, channel, join } from '../../../lib/tier.ts'
import { encodeNotification } from '../../../lib/wire.ts'
import { horizontal, vertical } from '../../../proxy/index.ts'
import { type ServeOptions, leaf, serve } from '../../../server/index.ts'
import { afterTest, cleanUp, opus, raw, rejection, until } from '../../helper.ts'
import type { Raw } from '../../kit/raw.ts'

cleanUp(test)

const KiB = 1024
const MiB = 1024 * KiB

async function start(tier: Tier, options: ServeOptions = {}) {
  const server = await serve(tier, options)
  afterTest(async () => {
    await server.close()
    tier.close()
  })
  return server
}

const local = () => leaf(localMediasoup)

const tiers: [name: string, tier: () => Tier][] = [
  ['a leaf', local],
  ['a leaf with shared Workers', () => leaf(localMediasoup, { shareWorkers: true })],
  ['a cluster', () => horizontal([local()])],
  ['a vertical tier', () => vertical(local())]
]

/** A session with a Router, and the answers to its calls. */
async function stage(url: string) {
  const peer = await raw(url)
  const made = async (method: string, ...params: unknown[]) =>
    handleIn(await peer.call(method, ...params))
  const worker = await made('mediasoup.createWorker', {})
  const router = await made('Worker.createRouter', worker, { mediaCodecs: [opus] })
  return { peer, worker, router }
}

const handleIn = ({ result, error }: Awaited<ReturnType<Raw['call']>>): string => {
  assert.is(error, undefined)
  return (result as { $: string }).$
}

const direct = (peer: Raw, router: string, appData: object) =>
  peer.call('Router.createDirectTransport', router, { appData })

for (const [name, tier] of tiers) {
  test(`appData is bounded on ${name}, and what is refused has made nothing`, async () => {
    const { url } = await start(tier(), { limits: { appData: 4 * KiB, transports: 1 } })
    const { peer, router } = await stage(url)
    const { error } = await direct(peer, router, { x: 'x'.repeat(4 * KiB) })
    assert.equal(error, {
      code: codes.size,
      message: 'appData has at most 4096 bytes of JSON (got 4104)',
      data: { name: 'LimitError' }
    })
    handleIn(await direct(peer, router, { x: 'x'.repeat(4 * KiB - 8) }))
  })

  test(`what the objects of a session retain is bounded on ${name}, and given back when they close`, async () => {
    const { url } = await start(tier(), { limits: { bytesRetained: 64 * KiB } })
    const { peer, router } = await stage(url)
    const made: string[] = []
    const another = () => direct(peer, router, { x: 'x'.repeat(10 * KiB) })
    let answer = await another()
    for (; !answer.error && made.length < 10; answer = await another()) made.push(handleIn(answer))
    assert.equal(answer.error, {
      code: codes.objects,
      message: 'the objects of a session retain at most 65536 bytes',
      data: { name: 'LimitError' }
    })
    assert.ok(made.length >= 4 && made.length <= 6, String(made.length))

    const closed = made.pop()
    peer.send({ jsonrpc: '2.0', method: 'DirectTransport.close', params: [closed] })
    handleIn(await another())
    assert.is((await another()).error?.code, codes.objects)
    // A session of its own has what it may have.
    const other = await stage(url)
    handleIn(await direct(other.peer, other.router, { x: 'x'.repeat(10 * KiB) }))
  })
}

test('what a message changes is retained, too: a Router with many codecs', async () => {
  const { url } = await start(local(), { limits: { bytesRetained: 64 * KiB } })
  const { peer, router } = await stage(url)
  const parameters = { x: 'x'.repeat(70 * KiB) }
  peer.send({
    jsonrpc: '2.0',
    method: 'Router.updateMediaCodecs',
    params: [router, [{ ...opus, parameters }]]
  })
  assert.equal(await peer.closed, {
    code: 4429,
    reason: 'the objects of a session retain at most 65536 bytes'
  })
})

test('what all sessions retain counts for --max-memory: the one that retains most ends', async () => {
  const { url } = await start(local(), { maxMemory: MiB })
  const [small, large] = [await stage(url), await stage(url)]
  handleIn(await direct(small.peer, small.router, { x: 'x'.repeat(12 * KiB) }))
  for (let i = 0; i < 100; i++)
    large.peer.send({
      jsonrpc: '2.0',
      id: i,
      method: 'Router.createDirectTransport',
      params: [large.router, { appData: { x: 'x'.repeat(15 * KiB) } }]
    })
  const { code, reason } = await large.peer.closed
  assert.is(code, 4429)
  assert.match(
    reason,
    /^all sessions together keep more than 1048576 bytes, and this one kept most: \d{6,7}$/
  )
  handleIn(await direct(small.peer, small.router, {}))
})

test('arrays in arguments are bounded before mediasoup looks for each element among all', async () => {
  const { url } = await start(local())
  const { peer, router } = await stage(url)
  const transport = handleIn(await peer.call('Router.createDirectTransport', router))
  const rtx = { mimeType: 'video/rtx', payloadType: 2, clockRate: 9, parameters: { apt: 1 } }
  const rtpParameters = { codecs: Array.from({ length: 10_000 }, () => rtx) }
  const params = [transport, { kind: 'video', rtpParameters }]
  const refusal = {
    code: codes.size,
    message: 'codecs has at most 500 elements (got 10000)',
    data: { name: 'LimitError' }
  }
  assert.equal((await peer.call('DirectTransport.produce', ...params)).error, refusal)

  // What is the application's is not looked at, and neither is what is small.
  const appData = { codecs: Array.from({ length: 5_000 }, () => 1) }
  handleIn(await direct(peer, router, appData))
  // A binary frame has arguments, too.
  const few = { ...rtpParameters, codecs: Array.from({ length: 700 }, () => rtx) }
  const frame = encodeNotification('DirectTransport.produce', [
    transport,
    { kind: 'video', rtpParameters: few },
    Buffer.alloc(1)
  ])
  peer.send(frame)
  assert.equal((await until(() => peer.heard.find(({ id }) => id === null))).error, {
    ...refusal,
    message: 'codecs has at most 500 elements (got 700)'
  })
})

/** What a peer writes to: what it is given while it is corked is one write. */
const streamOf = ({ socket }: Raw) => (socket as unknown as { _socket: Socket })._socket

/** A tier that shows how much waits for its clients. */
function measured(tier: Tier): Tier & { most: number } {
  const seen = {
    most: 0,
    async open() {
      const [ours, theirs] = channel()
      const inner: Link = await tier.open()
      join(ours, inner)
      inner.on('frame', () => {
        const { bufferedAmount } = ours
        if (bufferedAmount !== Infinity) seen.most = Math.max(seen.most, bufferedAmount)
      })
      return theirs
    },
    close: () => tier.close()
  }
  return seen
}

test('requests that came at once, and ask for much, are not answered faster than they are read', async () => {
  const tier = measured(local())
  const { url } = await start(tier)
  const peer = await raw(url)
  peer.socket.pause()
  // One read has them all.
  const COUNT = 1_000
  const stream = streamOf(peer)
  stream.cork()
  for (let id = 0; id < COUNT; id++)
    peer.send({ jsonrpc: '2.0', id, method: 'rpc.discover', params: [] })
  stream.uncork()
  const other = await raw(url)
  await until(() => tier.most > MiB)
  for (let i = 0; i < 100; i++) await other.call('tier.hello')
  assert.ok(tier.most < 3 * MiB, `${tier.most} bytes wait`)
  peer.socket.resume()
  await until(() => peer.heard.length === COUNT)
})

test('a session that sends much at once leaves another one its turn', async () => {
  const { url } = await start(local())
  const [peer, other] = [await raw(url), await raw(url)]
  await other.call('tier.hello')
  await peer.call('tier.hello')
  const COUNT = 5_000
  // One write, of which a read takes a thousand.
  const stream = streamOf(peer)
  stream.cork()
  for (let id = 0; id < COUNT; id++)
    peer.send({ jsonrpc: '2.0', id, method: 'Worker.dump', params: ['no/1'] })
  stream.uncork()
  await other.call('Worker.dump', 'no/1')
  const answered = peer.heard.length - 1
  assert.ok(answered < 300, `${answered} were answered before`)
  await until(() => peer.heard.length === COUNT + 1)
})

test('what costs more takes more of the rate: a session that asks for it is read more slowly', async () => {
  const { url } = await start(local(), { limits: { rate: 200 } })
  const peer = await raw(url)
  const begin = performance.now()
  for (let id = 0; id < 14; id++)
    peer.send({ jsonrpc: '2.0', id, method: 'rpc.discover', params: [] })
  await until(() => peer.heard.length === 14)
  const seconds = (performance.now() - begin) / 1000
  assert.ok(seconds > 1.5, `14 were answered in ${seconds} s`)
})

for (const [what, frame] of [
  ['garbage', '{"jsonrpc":'],
  ['binary garbage', Buffer.alloc(1)],
  ['what may not be asked', '{"jsonrpc":"2.0","id":1.5,"method":"Worker.close","params":7}']
] as const) {
  test(`a session that sends nothing but ${what} ends`, async () => {
    const { url } = await start(local(), { limits: { rate: 1_000_000 } })
    const peer = await raw(url)
    for (let i = 0; i < 12_000; i++) peer.send(frame)
    assert.equal(await peer.closed, {
      code: 4429,
      reason:
        'the messages of a session are refused at most 10000 times in a row, and 100 per second'
    })
  })
}

test('what is refused is read no faster than what is not', async () => {
  const { url } = await start(local(), { limits: { rate: 100 } })
  const peer = await raw(url)
  const begin = performance.now()
  for (let i = 0; i < 150; i++) peer.send(i % 2 ? '{"jsonrpc":' : Buffer.alloc(1))
  await until(() => peer.heard.length >= 150)
  const seconds = (performance.now() - begin) / 1000
  assert.ok(seconds > 0.4, `150 were refused in ${seconds} s`)
})

test('a process near its --max-memory takes no new sessions, says so, and goes on with those that it has', async () => {
  const sessions: Link[] = []
  const inner = local()
  const lines: { msg: string; reason?: string }[] = []
  const logger = pino({ level: 'warn' }, { write: line => lines.push(JSON.parse(line)) })
  const { url } = await start(
    {
      async open() {
        const [ours, theirs] = channel()
        join(ours, await inner.open())
        sessions.push(ours)
        return theirs
      },
      close: () => inner.close()
    },
    { maxMemory: 10 * MiB, logger }
  )
  const ready = async () => {
    const response = await fetch(`${url.replace('ws', 'http')}/readyz`)
    return (await response.json()) as { status: string; reason?: string }
  }
  const [slow, fast] = [await raw(url), await raw(url)]
  await slow.call('tier.hello')
  await fast.call('tier.hello')
  assert.equal(await ready(), { status: 'ready' })

  slow.socket.pause()
  const noise = (bytes: number) =>
    encodeNotification('Worker.noise', ['unknown/1', 'x'.repeat(bytes)])
  for (let i = 0; i < 8; i++) sessions[0]!.send(noise(MiB))
  const reason = 'its sessions keep nearly all of --max-memory'
  // What the system's buffers take does not wait.
  await until(async () => {
    sessions[0]!.send(noise(64 * KiB))
    return Object(await ready()).reason === reason
  })
  const refused = await rejection(connect(url, { reconnect: false }))
  assert.is(refused.message, `this tier takes no new sessions: ${reason}`)
  assert.is(refused.name, 'LimitError')
  assert.is((await fast.call('tier.hello')).error, undefined)

  slow.socket.resume()
  await until(async () => Object(await ready()).status === 'ready')
  const mediasoup = await connect(url, { reconnect: false })
  mediasoup.close()
  assert.equal(
    lines.map(({ msg, reason }) => [msg, reason]),
    [
      ['overloaded', reason],
      ['not overloaded any more', undefined]
    ]
  )
})

test.run()
