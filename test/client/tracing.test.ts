// Spans of calls, and the log: what one call is, on all tiers that it goes through.

import { SpanStatusCode, context, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor
} from '@opentelemetry/sdk-trace-base'
import * as localMediasoup from 'mediasoup'
import { pino } from 'pino'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { connect, remote } from '../../client/index.ts'
import { codes } from '../../lib/errors.ts'
import type { Tier } from '../../lib/tier.ts'
import { horizontal, vertical } from '../../proxy/index.ts'
import { type ServeOptions, leaf, serve } from '../../server/index.ts'
import { afterTest, cleanUp, opus, raw, rejection, until } from '../helper.ts'
import { AUDIENCE, secretIssuer } from '../tokens.ts'

cleanUp(test)

interface Line {
  msg: string
  session?: string
  entry?: string
  call?: number | string
  method?: string
  trace?: string
  error?: number
  ms?: number
}

/** What OpenTelemetry is for an application that sets it up. */
function setUp() {
  const exporter = new InMemorySpanExporter()
  const spanProcessors = [new SimpleSpanProcessor(exporter)]
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors }))
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  afterTest(() => {
    trace.disable()
    context.disable()
  })
  /** Does something within a span of the application. */
  const within = <T>(act: () => Promise<T>) =>
    trace.getTracer('application').startActiveSpan('join', async span => {
      try {
        return { result: await act(), span: span.spanContext() }
      } finally {
        span.end()
      }
    })
  return { within, spans: () => exporter.getFinishedSpans() }
}

type Level = 'debug' | 'info'

/** Serves a tier, and keeps its log. */
async function open(tier: Tier, level: Level = 'debug', options: ServeOptions = {}) {
  const lines: Line[] = []
  const logger = pino({ level }, { write: (line: string) => lines.push(JSON.parse(line)) })
  const server = await serve(tier, { logger, ...options })
  afterTest(async () => {
    await server.close()
    tier.close()
  })
  return { url: server.url, lines }
}

const openLeaf = (level?: Level) => open(leaf(localMediasoup), level)

/** A leaf, and a proxy over it. */
async function openTree(proxy = (tier: Tier) => tier) {
  const below = await openLeaf()
  const entry = await open(proxy(horizontal([remote(below.url)])))
  return { url: entry.url, logs: [entry.lines, below.lines] as const }
}

async function use(url: string) {
  const mediasoup = await connect(url)
  afterTest(() => mediasoup.close())
  return mediasoup
}

for (const [name, proxy] of [
  ['cluster', undefined],
  ['vertical tier', vertical]
] as const)
  test(`a call within a span is a span, and its trace is in the log of a ${name} and of a leaf`, async () => {
    const { within, spans } = setUp()
    const { url, logs } = await openTree(proxy)
    const { createWorker } = await use(url)
    const worker = await createWorker()
    const router = await worker.createRouter({ mediaCodecs: [opus] })
    assert.equal(spans(), []) // Outside of a span there is none.

    const { result: transport, span } = await within(() => router.createDirectTransport())
    const [call, join] = spans()
    assert.is(call!.name, 'Router.createDirectTransport')
    assert.is(call!.parentSpanContext!.spanId, join!.spanContext().spanId)
    assert.is(call!.spanContext().traceId, span.traceId)
    assert.is(call!.status.code, SpanStatusCode.UNSET)
    for (const lines of logs) {
      const line = await until(() => lines.find(({ trace }) => trace === span.traceId))
      assert.is(line.msg, 'call')
      assert.is(line.method, 'Router.createDirectTransport')
      assert.ok(line.ms! >= 0)
    }
    assert.is(transport.closed, false)
  })

test('the span of a call that fails says why', async () => {
  const { within, spans } = setUp()
  const { url } = await openLeaf()
  const worker = await (await use(url)).createWorker()
  const listenInfos = [{ protocol: 'udp' as const, ip: '192.0.2.7' }]
  const router = await worker.createRouter()
  const { result: error } = await within(() =>
    rejection(router.createWebRtcTransport({ listenInfos }))
  )
  const [call] = spans()
  assert.is(call!.status.code, SpanStatusCode.ERROR)
  assert.is(call!.status.message, error.message)
})

test('one name of a session, and one id of a call, are in the logs of all tiers', async () => {
  const { url, logs } = await openTree()
  const { createWorker } = await use(url)
  const worker = await createWorker()
  await worker.dump()
  const [atEntry, below] = logs
  const call = await until(() => atEntry.find(({ method }) => method === 'Worker.dump'))
  assert.ok(call.session)
  assert.is(call.entry, undefined)
  const same = await until(() =>
    below.find(({ method, entry }) => method === 'Worker.dump' && entry === call.session)
  )
  assert.is(same.call, call.call)
  assert.ok(below.some(({ msg, entry }) => msg === 'session opened' && entry === call.session))
})

test('nobody gives their session the name of another one, but who may operate the tier', async () => {
  const { key, issue } = secretIssuer()
  const tokens = { secret: key, audience: AUDIENCE }
  const { url, lines } = await open(leaf(localMediasoup), 'debug', { tokens })
  const opened = () => lines.filter(({ msg }) => msg === 'session opened')
  for (const scope of ['observe create', 'operate']) {
    const tier = remote(url, { token: await issue({ scope }) })
    await tier.open({ entry: 'p0Zb5fYc' })
    tier.close()
  }
  await until(() => opened().length === 2)
  assert.equal(
    opened().map(({ entry }) => entry),
    [undefined, 'p0Zb5fYc']
  )
  const session = 'x'.repeat(16)
  for (const entry of ['', 'a b', 'x'.repeat(33), 7]) {
    const peer = await raw(url, { headers: { authorization: `Bearer ${await issue()}` } })
    const { error } = await peer.call('tier.open', { session, secret: session, received: 0, entry })
    assert.is(error!.code, codes.params, String(entry))
  }
})

test('what clients call things is cut', async () => {
  const { url, lines } = await openLeaf()
  const peer = await raw(url)
  const long = 'x'.repeat(200)
  peer.send({ jsonrpc: '2.0', id: long, method: long, params: [] })
  await until(() => lines.some(({ call }) => call))
  assert.equal(
    lines.filter(line => JSON.stringify(line).includes('x'.repeat(65))),
    []
  )
})

test('calls are in the log only at debug, with the code of their error', async () => {
  const [quiet, loud] = [await openLeaf('info'), await openLeaf()]
  for (const { url, lines } of [quiet, loud]) {
    const peer = await raw(url)
    await peer.call('Router.dump', 'k3x/1')
    await peer.call('tier.hello')
    peer.socket.close()
    await until(() => lines.some(({ msg }) => msg === 'session closed'))
  }
  assert.equal(callsIn(quiet.lines), [])
  assert.equal(
    callsIn(loud.lines).map(({ method, error }) => [method, error]),
    [
      ['Router.dump', -32000],
      ['tier.hello', undefined]
    ]
  )
})

const callsIn = (lines: Line[]) => lines.filter(({ msg }) => msg === 'call')

const PARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
const TRACE = PARENT.split('-')[1]

test('a trace is taken where it stands, and what is none is ignored', async () => {
  const { url, lines } = await openLeaf()
  const peer = await raw(url)
  const call = { method: 'tier.hello', params: [] }
  const traces = ['0', PARENT.toUpperCase(), `${PARENT}-x`, 7, null, { a: 1 }]
  const frames = [
    { jsonrpc: '2.0', id: 1, traceparent: PARENT, ...call },
    { jsonrpc: '2.0', id: 2, ...call, traceparent: PARENT },
    ...traces.map((traceparent, i) => ({ jsonrpc: '2.0', id: 3 + i, traceparent, ...call }))
  ]
  for (const frame of frames) assert.is((await peer.answer(frame)).error, undefined)
  await until(() => callsIn(lines).length === frames.length)
  assert.equal(
    callsIn(lines).map(({ call, trace }) => [call, trace]),
    frames.map(({ id }) => [id, id <= 2 ? TRACE : undefined])
  )
})

test.run()
