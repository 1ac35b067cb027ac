// Answers and events come in the order in which an application sees them on plain mediasoup.

import * as localMediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { afterTest, audio, cleanUp, connectLeaf, mock, opus, raw, startLeaf } from './helper.ts'

cleanUp(test)

const ROUNDS = 20

/** Notes events, and when calls are done. */
async function pauseAndResume(mediasoup: typeof localMediasoup): Promise<string[]> {
  const worker = await mediasoup.createWorker()
  afterTest(() => worker.close())
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  const transport = await router.createDirectTransport()
  const producer = await transport.produce(audio())
  // One, because the worker tells several Consumers of a Producer in any order.
  const consumer = await transport.consume({
    producerId: producer.id,
    rtpCapabilities: router.rtpCapabilities
  })
  const log: string[] = []
  const note = (what: string) => () => {
    log.push(what)
  }
  const done = (call: Promise<unknown>, what: string) => call.then(note(`${what} is done`))

  for (const event of ['pause', 'resume'] as const) {
    producer.observer.on(event, note(`producer ${event}, paused ${event === 'pause'}`))
    consumer.observer.on(event, note(`consumer ${event}`))
    consumer.on(`producer${event}`, () => {
      log.push(`consumer producer${event}, producerPaused ${consumer.producerPaused}`)
    })
  }
  for (let round = 0; round < ROUNDS; round++) {
    // One after another: of calls in flight together, even plain mediasoup may or may not see the
    // events of the second before the code after the first.
    await done(producer.pause(), 'producer.pause()')
    await done(producer.resume(), 'producer.resume()')
    await done(consumer.pause(), 'consumer.pause()')
    await done(consumer.resume(), 'consumer.resume()')
  }
  return log
}

// Plain mediasoup may run the code after producer.pause() before or after the Consumer's event, as
// they come in one read of its pipe or in two; but the order of what concerns either is certain.
const streams = (log: string[]) =>
  ['producer', 'consumer'].map(subject => log.filter(entry => entry.startsWith(subject)))

test('the mock keeps the order of plain mediasoup', async () => {
  assert.equal(
    streams(await pauseAndResume(await mock())),
    streams(await pauseAndResume(localMediasoup))
  )
})

test('a leaf keeps the order of plain mediasoup', async () => {
  const { mediasoup } = await connectLeaf()
  assert.equal(
    streams(await pauseAndResume(mediasoup)),
    streams(await pauseAndResume(localMediasoup))
  )
})

test('an event never overtakes the answer that was given before it, nor the other way round, on the wire', async () => {
  const { url } = await startLeaf()
  const client = await raw(url)
  const handleOf = async (method: string, ...params: unknown[]) =>
    ((await client.call(method, ...params)).result as { $: string }).$
  const worker = await handleOf('mediasoup.createWorker')
  const router = await handleOf('Worker.createRouter', worker, { mediaCodecs: [opus] })
  const transport = await handleOf('Router.createDirectTransport', router)
  const producer = await handleOf('DirectTransport.produce', transport, { ...audio(), id: 'p' })
  const rtpCapabilities: ms.RtpCapabilities = { codecs: [opus] as ms.RtpCodecCapability[] }
  const consumer = await handleOf('DirectTransport.consume', transport, {
    producerId: 'p',
    rtpCapabilities
  })
  client.heard.length = 0

  for (let i = 0; i < ROUNDS; i++) {
    client.send({ jsonrpc: '2.0', id: `pause${i}`, method: 'Producer.pause', params: [producer] })
    client.send({ jsonrpc: '2.0', id: `resume${i}`, method: 'Producer.resume', params: [producer] })
  }
  await client.call('Consumer.getStats', consumer)

  const at = (is: (message: (typeof client.heard)[number]) => boolean) =>
    client.heard.flatMap((message, i) => (is(message) ? [i] : []))
  const [paused, resumed] = [
    at(({ method }) => method === 'Producer.pause'),
    at(({ method }) => method === 'Producer.resume')
  ]
  assert.is(paused.length, ROUNDS)
  for (let i = 0; i < ROUNDS; i++) {
    const [[pause], [resume]] = [
      at(({ id }) => id === `pause${i}`),
      at(({ id }) => id === `resume${i}`)
    ]
    assert.ok(paused[i]! < resumed[i]! && pause! < resume!, 'what was asked first happens first')
    assert.ok(
      paused[i]! < pause! && resumed[i]! < resume!,
      'the event comes before the answer to the call that caused it'
    )
    assert.ok(
      i === 0 || resume! > at(({ id }) => id === `resume${i - 1}`)[0]!,
      'answers keep their order'
    )
  }
})

test.run()
