// Events: one thing happens, and twenty objects tell of it.

import * as localMediasoup from 'mediasoup'
import { Durations } from '../../kit/durations.ts'
import { type Echo, startEcho } from '../../kit/echo-client.ts'
import { type Group, type Row, type Sample, latency, rate, rounds, row, quick } from '../measure.ts'
import { end, startLeaf } from '../processes.ts'
import { connect } from '../../kit/product.ts'
import { type Mediasoup, audio, openRoom, rtpPacket } from '../../kit/room.ts'
import { tappedMock } from '../tap.ts'

const ROUNDS = 7
const ROUND_MS = quick ? 50 : 300
const LISTENERS = 20
export const BURSTS_IN_FLIGHT = 8
const MESSAGE_BYTES = 100

export interface Source {
  /** Makes every listener hear an event. */
  send(): void
  onEvent(listener: () => void): void
  close(): void
}

/** Their bytes travel in binary frames. */
async function messages(mediasoup: Mediasoup): Promise<Source> {
  const { worker, router } = await openRoom(mediasoup)
  const transport = await router.createDirectTransport()
  const producer = await transport.produceData()
  const consumers = await Promise.all(
    Array.from({ length: LISTENERS }, () => transport.consumeData({ dataProducerId: producer.id }))
  )
  const message = Buffer.alloc(MESSAGE_BYTES)
  return {
    send: () => producer.send(message),
    onEvent: listener => consumers.forEach(consumer => consumer.on('message', listener)),
    close: () => worker.close()
  }
}

/** They travel as JSON. (The worker tells of each packet twice.) */
async function traces(mediasoup: Mediasoup): Promise<Source> {
  const { worker, router, rtpCapabilities } = await openRoom(mediasoup)
  const producer = await (await router.createDirectTransport()).produce(audio())
  const receiving = await router.createPlainTransport({
    listenInfo: { protocol: 'udp', ip: '127.0.0.1' }
  })
  // Nobody listens: what counts is told of it.
  await receiving.connect({ ip: '127.0.0.1', port: 9 })
  const consumers = await Promise.all(
    Array.from({ length: LISTENERS }, async () => {
      const consumer = await receiving.consume({ producerId: producer.id, rtpCapabilities })
      await consumer.enableTraceEvent(['rtp'])
      return consumer
    })
  )
  let sequence = 0
  return {
    send: () => producer.send(rtpPacket(++sequence, MESSAGE_BYTES)),
    onEvent: listener => consumers.forEach(consumer => consumer.on('trace', listener)),
    close: () => worker.close()
  }
}

export const KINDS = [
  {
    what: 'DataConsumer message',
    open: messages,
    isEvent: '"DataConsumer.message"',
    each: LISTENERS
  },
  { what: 'Consumer trace', open: traces, isEvent: '"Consumer.trace"', each: 2 * LISTENERS }
]

export const events: Group = {
  name: 'events',
  about: `events: one is sent, ${LISTENERS} are heard; per second with ${BURSTS_IN_FLIGHT} sent at once, and the delay (µs) with one`,

  async run() {
    const [echo, process] = await Promise.all([startEcho(), startLeaf()])
    const remote = await connect(process.url)
    const tapped = await tappedMock()
    const rows: Row[] = []
    for (const { what, open, isEvent, each } of KINDS) {
      const exchange = await exchangeOf(tapped, open, isEvent)
      const sources = {
        echo: sourceOf(await echo.connect(exchange, each)),
        local: await open(localMediasoup),
        leaf: await open(remote)
      }
      const bursts = {
        echo: burstsOf(sources.echo, each),
        local: burstsOf(sources.local, each),
        leaf: burstsOf(sources.leaf, each)
      }
      const run = (inFlight: number, sampleOf: (durations: Durations) => Sample) =>
        rounds(ROUNDS, {
          echo: async () => sampleOf(await bursts.echo(inFlight)),
          local: async () => sampleOf(await bursts.local(inFlight)),
          leaf: async () => sampleOf(await bursts.leaf(inFlight))
        })
      const [many, one] = [await run(BURSTS_IN_FLIGHT, rate), await run(1, latency)]
      for (const source of Object.values(sources)) source.close()
      const bytes = `${exchange.answer.length} B`
      rows.push(
        ...compare('events/s', `echo of ${bytes}`, what, many),
        ...compare('µs', `delay, echo of ${bytes}`, `delay, ${what}`, one)
      )
    }
    for (const mediasoup of [remote, tapped.mediasoup]) mediasoup.close()
    await Promise.all([echo.end(), end(process.child)])
    return rows
  }
}

function compare(
  unit: string,
  echo: string,
  what: string,
  samples: Record<'echo' | 'local' | 'leaf', Sample[]>
): Row[] {
  return [
    row({ what: echo, unit, samples: samples.echo }),
    row({ what: `${what}, local`, unit, samples: samples.local, to: { echo: samples.echo } }),
    row({ what: `${what}, leaf`, unit, samples: samples.leaf, to: { echo: samples.echo } })
  ]
}

async function exchangeOf(
  { mediasoup, exchangeOf }: Awaited<ReturnType<typeof tappedMock>>,
  open: typeof messages,
  isEvent: string
) {
  const source = await open(mediasoup)
  const exchange = await exchangeOf(
    () =>
      new Promise<void>(resolve => {
        source.onEvent(resolve)
        source.send()
      }),
    frame => frame.includes(isEvent)
  )
  source.close()
  return exchange
}

const sourceOf = ({ send, onAnswer }: Echo): Source => ({ send, onEvent: onAnswer, close() {} })

/** Sends the next one as soon as all of the events of the first one in flight are heard. */
export function burstsOf(source: Source, each: number) {
  let onEvent = () => {}
  source.onEvent(() => onEvent())

  return (inFlight: number) =>
    new Promise<Durations>(resolve => {
      const durations = new Durations()
      const deadline = performance.now() + ROUND_MS
      const sent: number[] = []
      let heard = 0
      onEvent = () => {
        const now = performance.now()
        durations.add(now - sent[0]!)
        if (++heard % each) return
        sent.shift()
        if (now < deadline) send()
        else if (!sent.length) resolve(durations.stop())
      }
      function send() {
        sent.push(performance.now())
        source.send()
      }
      for (let i = 0; i < inFlight; i++) send()
    })
}
