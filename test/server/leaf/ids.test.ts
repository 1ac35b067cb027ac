// Ids that applications choose for Producers and DataProducers never reach what mediasoup and
// Node.js treat specially.

import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { encodeNotification } from '../../../lib/wire.ts'
import { audio, cleanUp, opus, raw, rtp, startLeaf } from '../../helper.ts'

cleanUp(test)

type Peer = Awaited<ReturnType<typeof raw>>

async function create(peer: Peer, method: string, ...params: unknown[]) {
  const { result, error } = await peer.call(method, ...params)
  assert.is(error, undefined)
  return (result as { $: string }).$
}

/** A session with a transport on which Producers are made. */
async function stage(url: string) {
  const peer = await raw(url)
  const worker = await create(peer, 'mediasoup.createWorker', { logLevel: 'none' })
  const router = await create(peer, 'Worker.createRouter', worker, { mediaCodecs: [opus] })
  const transport = await create(peer, 'Router.createDirectTransport', router, {})
  return { peer, worker, transport }
}

/** Lets the worker tell something about a Producer that is closed by then. */
async function closeUnderNotifications(
  { peer, worker }: { peer: Peer; worker: string },
  producer: string
) {
  await peer.call('Producer.enableTraceEvent', producer, ['rtp'])
  for (let i = 0; i < 100; i++) peer.send(encodeNotification('Producer.send', [producer, rtp(i)]))
  peer.send(encodeNotification('Producer.close', [producer]))
  // The worker answers in order: what it had to tell has arrived with the second answer.
  for (let i = 0; i < 2; i++) await peer.call('Worker.getResourceUsage', worker)
}

const reserved = [
  'error',
  'newListener',
  'removeListener',
  'listenererror',
  '__proto__',
  '@close',
  '@producerclose'
]

test('a Producer cannot have the name of an internal event, and the leaf lives', async () => {
  const { url, child } = await startLeaf()
  const { peer, worker, transport } = await stage(url)
  for (const id of reserved) {
    const { result, error } = await peer.call('DirectTransport.produce', transport, {
      id,
      ...audio()
    })
    if (result) await closeUnderNotifications({ peer, worker }, (result as { $: string }).$)
    assert.is(child.exitCode, null, `the leaf ended when a Producer was called ${id}`)
    assert.is(error?.data?.name, 'TypeError')
    assert.match(error!.message, 'id must not be the name of an internal event')
    assert.is(
      (await peer.call('DirectTransport.produceData', transport, { id })).error?.message,
      error!.message
    )
  }
  assert.ok((await (await raw(url)).call('tier.hello')).result)
})

test('an id is a well-formed string of at most 255 bytes', async () => {
  const { url } = await startLeaf()
  const { peer, transport } = await stage(url)
  const refused: [id: unknown, message: string][] = [
    ['x'.repeat(256), 'id must have at most 255 bytes (it has 256)'],
    ['é'.repeat(128), 'id must have at most 255 bytes (it has 256)'],
    ['\ud800', 'id must be well-formed Unicode'],
    [['error'], 'id must be a string (got an array)'],
    [{ toString: 'error' }, 'id must be a string (got object)'],
    [7, 'id must be a string (got number)']
  ]
  for (const [id, message] of refused) {
    for (const [method, options] of [
      ['produce', audio()],
      ['produceData', {}]
    ] as const) {
      const { error } = await peer.call(`DirectTransport.${method}`, transport, { ...options, id })
      assert.match(error!.message, message)
    }
  }
  for (const id of ['x'.repeat(255), 'p 1', '日本']) {
    const { result } = await peer.call('DirectTransport.produce', transport, {
      ...audio(id.length),
      id
    })
    assert.is((result as { members: { id: string } }).members.id, id)
  }
})

test('whatever string is chosen, a Producer has it or is refused, and nobody else is disturbed', async () => {
  const { url, child } = await startLeaf()
  const [{ peer, worker, transport }, bystander] = [await stage(url), await stage(url)]
  let ssrc = 1
  const strings = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(...reserved, 'constructor', 'toString', '', ' ', '\0', '1'),
    fc.string({ minLength: 250, maxLength: 300 })
  )
  await fc.assert(
    fc.asyncProperty(strings, fc.boolean(), async (id, isData) => {
      const { result, error } = isData
        ? await peer.call('DirectTransport.produceData', transport, { id })
        : await peer.call('DirectTransport.produce', transport, { id, ...audio(++ssrc) })
      const made = result as { $: string; members: { id: string } } | undefined
      assert.ok(
        made || error?.data?.name === 'TypeError' || error?.data?.name === 'Error',
        JSON.stringify(error)
      )
      if (made) assert.is(made.members.id, id || made.members.id)
      if (made && isData) peer.send(encodeNotification('DataProducer.close', [made.$]))
      if (made && !isData) await closeUnderNotifications({ peer, worker }, made.$)
      assert.is(child.exitCode, null)
      assert.ok((await bystander.peer.call('Worker.getResourceUsage', bystander.worker)).result)
    }),
    { numRuns: 60 }
  )
})

test.run()
