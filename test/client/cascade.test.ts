// The same application, on plain mediasoup and on the mock, hears the same events of the same
// objects in the same order.

import type { EventEmitter } from 'node:events'
import * as localMediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { connect } from '../../client/index.ts'
import { model } from '../../lib/model.ts'
import { afterTest, audio, cleanUp, mock, opus, until } from '../helper.ts'
import { end, startTier } from '../kit/processes.ts'

type Mediasoup = typeof localMediasoup

cleanUp(test)

interface Emitter extends EventEmitter {
  observer: EventEmitter
  closed: boolean
}

const announcements = new Set(
  Object.values(model).flatMap(({ events }) =>
    Object.entries<string>(events)
      .filter(([, role]) => role === 'new')
      .map(([event]) => event)
  )
)

/**
 * Writes down all events of all objects of a mediasoup, as lines like `Router 1 observer: close`.
 */
function record(mediasoup: Mediasoup) {
  const lines: string[] = []
  const names = new Map<unknown, string>()
  const objects = new Map<string, Emitter>()
  const counts = new Map<string, number>()
  const onWorker = (worker: ms.Worker) => announced('mediasoup observer', 'newworker', worker)

  mediasoup.observer.on('newworker', onWorker)
  const stop = () => mediasoup.observer.off('newworker', onWorker)
  afterTest(stop)

  /** What comes over several channels is in order for each object, and not between them. */
  async function inAnyOrder(act: () => Promise<void>) {
    const start = lines.length
    await act()
    const objectOf = (line: string) => line.split(/ observer| \(closed\)|:/)[0]!
    lines.push(
      ...lines.splice(start).toSorted((one, other) => objectOf(one).localeCompare(objectOf(other)))
    )
  }

  return {
    lines,
    stop,
    inAnyOrder,
    object: <T>(name: string) => objects.get(name) as T,
    note: (line: string) => lines.push(line)
  }

  function announced(by: string, event: string, object: unknown) {
    if (!names.has(object)) follow(object as Emitter, by)
    const line = `${by}: ${event} ${names.get(object)}`
    // pipeToRouter() makes its transports at once, and either may be the first.
    const isSecond =
      line.includes('PipeTransport of') &&
      lines.at(-1)!.includes('PipeTransport of') &&
      line < lines.at(-1)!
    lines.splice(isSecond ? -1 : lines.length, 0, line)
  }

  function follow(object: Emitter, by: string) {
    const kind = object.constructor.name.replace(/Impl$/, '') as keyof typeof model
    const count = (counts.get(kind) ?? 0) + 1
    const name =
      kind === 'PipeTransport'
        ? `PipeTransport of ${by.replace(' observer', '')}`
        : `${kind} ${count}`
    counts.set(kind, count)
    names.set(object, name)
    objects.set(name, object)
    for (const event of [...Object.keys(model[kind].events), 'close', 'listenererror']) {
      object.on(event, (...args: unknown[]) => heard(name, object, event, args))
      object.observer.on(event, (...args: unknown[]) =>
        heard(`${name} observer`, object, event, args)
      )
    }
  }

  function heard(by: string, emitter: Emitter, event: string, args: unknown[]) {
    // What another process does at its own pace: meet the other end of a pipe, and exit when it is
    // closed.
    if (
      event === 'sctpstatechange' ||
      (event === 'subprocessclose' && !(emitter as unknown as ms.Worker).died)
    )
      return
    if (announcements.has(event)) return announced(by, event, args[0])
    lines.push([`${by}${emitter.closed ? ' (closed)' : ''}: ${event}`, ...args.map(told)].join(' '))
  }

  // Ids and pids are never the same.
  function told(arg: unknown): string {
    if (names.has(arg)) return names.get(arg)!
    if (arg instanceof Error) return `${arg.name}: ${arg.message.replaceAll(/\d+/g, 'N')}`
    return JSON.stringify(arg)
  }
}

type Recorder = ReturnType<typeof record>

const listenInfos: ms.TransportListenInfo[] = [{ protocol: 'udp', ip: '127.0.0.1' }]

/** Two Workers with a Router each, all kinds of objects on the first, and pipes to the second. */
async function build(mediasoup: Mediasoup, recorder: Recorder) {
  const made = async <T>(what: string, promise: Promise<T>): Promise<T> => {
    const result = await promise
    recorder.note(`> ${what}`)
    return result
  }
  const worker = await made('createWorker', mediasoup.createWorker())
  const other = await made('createWorker', mediasoup.createWorker())
  for (const each of [worker, other]) afterTest(() => each.close())
  const webRtcServer = await made('createWebRtcServer', worker.createWebRtcServer({ listenInfos }))
  const router = await made('createRouter', worker.createRouter({ mediaCodecs: [opus] }))
  const otherRouter = await made('createRouter', other.createRouter({ mediaCodecs: [opus] }))
  const webRtcTransport = await made(
    'createWebRtcTransport',
    router.createWebRtcTransport({ webRtcServer, enableSctp: true })
  )
  const plainTransport = await made(
    'createPlainTransport',
    router.createPlainTransport({ listenInfo: listenInfos[0]! })
  )
  const directTransport = await made('createDirectTransport', router.createDirectTransport())
  const audioLevelObserver = await made(
    'createAudioLevelObserver',
    router.createAudioLevelObserver({ interval: 5000 })
  )
  const activeSpeakerObserver = await made(
    'createActiveSpeakerObserver',
    router.createActiveSpeakerObserver({ interval: 5000 })
  )

  const producer = await made('produce', webRtcTransport.produce(audio(1)))
  const directProducer = await made('produce', directTransport.produce(audio(2)))
  const dataProducer = await made('produceData', directTransport.produceData())
  const { rtpCapabilities } = router
  const consumer = await made(
    'consume',
    plainTransport.consume({ producerId: producer.id, rtpCapabilities })
  )
  const directConsumer = await made(
    'consume',
    directTransport.consume({ producerId: producer.id, rtpCapabilities })
  )
  await made('consume', webRtcTransport.consume({ producerId: directProducer.id, rtpCapabilities }))
  const dataConsumer = await made(
    'consumeData',
    directTransport.consumeData({ dataProducerId: dataProducer.id })
  )
  await made('addProducer', audioLevelObserver.addProducer({ producerId: producer.id }))
  await made('addProducer', activeSpeakerObserver.addProducer({ producerId: directProducer.id }))

  const { pipeProducer, pipeConsumer } = (await made(
    'pipeToRouter',
    router.pipeToRouter({ producerId: producer.id, router: otherRouter })
  )) as Required<ms.PipeToRouterResult>
  const { pipeDataProducer, pipeDataConsumer } = (await made(
    'pipeToRouter',
    router.pipeToRouter({ dataProducerId: dataProducer.id, router: otherRouter })
  )) as Required<ms.PipeToRouterResult>
  const otherTransport = await made('createDirectTransport', otherRouter.createDirectTransport())
  await made('consume', otherTransport.consume({ producerId: pipeProducer.id, rtpCapabilities }))
  await made('consumeData', otherTransport.consumeData({ dataProducerId: pipeDataProducer.id }))

  return {
    worker,
    other,
    webRtcServer,
    router,
    otherRouter,
    webRtcTransport,
    plainTransport,
    directTransport,
    audioLevelObserver,
    activeSpeakerObserver,
    producer,
    directProducer,
    dataProducer,
    consumer,
    directConsumer,
    dataConsumer,
    pipeProducer,
    pipeConsumer,
    pipeDataProducer,
    pipeDataConsumer
  }
}

type World = Awaited<ReturnType<typeof build>>

/** Until all that an act causes has happened: it goes over at most three channels. */
async function settle({ worker, other }: World) {
  for (let round = 0; round < 4; round++) {
    for (const each of [worker, other]) {
      if (!each.closed) await each.dump()
    }
  }
  await until(() =>
    [worker, other].every(({ closed, subprocessClosed }) => !closed || subprocessClosed)
  )
}

/** What an application hears: on building all this, on what it then does, and up to its end. */
async function scenario(mediasoup: Mediasoup, act: (world: World, recorder: Recorder) => unknown) {
  const recorder = record(mediasoup)
  const world = await build(mediasoup, recorder)
  recorder.note('> act')
  await act(world, recorder)
  recorder.note('> returned')
  await recorder.inAnyOrder(() => settle(world))
  for (const worker of [world.worker, world.other]) {
    recorder.note('> close')
    worker.close()
    recorder.note('> returned')
    await recorder.inAnyOrder(() => settle(world))
  }
  recorder.stop()
  return recorder.lines
}

const acts: Record<string, (world: World, recorder: Recorder) => unknown> = {
  'nothing is done': () => {},
  'a Worker is closed': ({ worker }) => worker.close(),
  'the Worker at the other end of a pipe is closed': ({ other }) => other.close(),
  'a WebRtcServer is closed': ({ webRtcServer }) => webRtcServer.close(),
  'a Router is closed': ({ router }) => router.close(),
  'the Router at the other end of a pipe is closed': ({ otherRouter }) => otherRouter.close(),
  'a WebRtcTransport is closed': ({ webRtcTransport }) => webRtcTransport.close(),
  'a PlainTransport is closed': ({ plainTransport }) => plainTransport.close(),
  'a DirectTransport is closed': ({ directTransport }) => directTransport.close(),
  'the near PipeTransport of a pipe is closed': (_, recorder) =>
    recorder.object<ms.Transport>('PipeTransport of Router 1').close(),
  'the far PipeTransport of a pipe is closed': (_, recorder) =>
    recorder.object<ms.Transport>('PipeTransport of Router 2').close(),
  'a Producer is closed': ({ producer }) => producer.close(),
  'a DataProducer is closed': ({ dataProducer }) => dataProducer.close(),
  'a Consumer is closed': ({ consumer }) => consumer.close(),
  'a DataConsumer is closed': ({ dataConsumer }) => dataConsumer.close(),
  'the Consumer of a pipe is closed': ({ pipeConsumer }) => pipeConsumer.close(),
  'the Producer of a pipe is closed': ({ pipeProducer }) => pipeProducer.close(),
  'the DataConsumer of a pipe is closed': ({ pipeDataConsumer }) => pipeDataConsumer.close(),
  'the DataProducer of a pipe is closed': ({ pipeDataProducer }) => pipeDataProducer.close(),
  'an AudioLevelObserver is closed': ({ audioLevelObserver }) => audioLevelObserver.close(),
  'an ActiveSpeakerObserver is closed': ({ activeSpeakerObserver }) =>
    activeSpeakerObserver.close(),
  'a Producer pauses and resumes': async ({ producer, pipeProducer }, recorder) => {
    // Its own, that of the pipe and the one behind it.
    const consumers = [1, 2, 4, 5].map(number => recorder.object<ms.Consumer>(`Consumer ${number}`))
    for (const pause of [true, false]) {
      await recorder.inAnyOrder(async () => {
        await (pause ? producer.pause() : producer.resume())
        await until(
          () =>
            pipeProducer.paused === pause &&
            consumers.every(({ producerPaused }) => producerPaused === pause)
        )
      })
    }
  },
  'a Consumer pauses and resumes': async ({ consumer }) => {
    await consumer.pause()
    await consumer.resume()
  },
  'a DataProducer and a DataConsumer pause and resume': async (
    { dataProducer, dataConsumer, pipeDataConsumer },
    recorder
  ) => {
    for (const pause of [true, false]) {
      await recorder.inAnyOrder(async () => {
        await (pause ? dataProducer.pause() : dataProducer.resume())
        await until(() =>
          [dataConsumer, pipeDataConsumer].every(
            ({ dataProducerPaused }) => dataProducerPaused === pause
          )
        )
      })
      await (pause ? dataConsumer.pause() : dataConsumer.resume())
    }
  },
  'an RtpObserver pauses, resumes and loses a Producer': async ({
    audioLevelObserver,
    producer
  }) => {
    await audioLevelObserver.pause()
    await audioLevelObserver.resume()
    await audioLevelObserver.removeProducer({ producerId: producer.id })
  },
  'everything is closed twice': ({ producer, webRtcTransport, router, worker }) => {
    for (const object of [
      producer,
      webRtcTransport,
      router,
      worker,
      worker,
      router,
      webRtcTransport,
      producer
    ])
      object.close()
  },
  'a Worker dies': async ({ worker }, recorder) => {
    const far = [
      recorder.object<ms.Consumer>('Consumer 5'),
      recorder.object<ms.DataConsumer>('DataConsumer 3')
    ]
    process.kill(worker.pid, 'SIGKILL')
    await until(() => worker.subprocessClosed && far.every(({ closed }) => closed))
  }
}

// One leaf for all, because a process that starts takes longer than a scenario.
const leaf = await startTier()
test.after(() => end(leaf.child))

async function remote() {
  const mediasoup = await connect(leaf.url)
  afterTest(() => mediasoup.close())
  return mediasoup
}

// On plain mediasoup, once for each act.
const expected = new Map<string, Promise<string[]>>()

function expectedOf(what: string) {
  if (!expected.has(what)) expected.set(what, scenario(localMediasoup, acts[what]!))
  return expected.get(what)!
}

for (const [what, act] of Object.entries(acts)) {
  for (const [where, open] of [
    ['the mock', mock],
    ['a client', remote]
  ] as const) {
    test(`when ${what}, ${where} tells the same as plain mediasoup`, async () => {
      const lines = await expectedOf(what)
      assert.ok(lines.length > 50)
      assert.equal(await scenario(await open(), act), lines)
    })
  }
}

test.run()
