// A session with a room: participants who all hear and see each other, with data channels; one who
// speaks is noticed; a bot that sends messages through the leaf. No media flows.

import { isDeepStrictEqual } from 'node:util'
import type * as ms from 'mediasoup/types'
import { DTLS_PARAMETERS, audio, openRoom, video } from '../kit/room.ts'
import { connect } from '../kit/product.ts'
import { within } from '../kit/until.ts'
import { MISSING_SECONDS } from './plan.ts'

const LISTEN_INFOS: ms.TransportListenInfo[] = [{ protocol: 'udp', ip: '127.0.0.1' }]
const DATA: ms.DataProducerOptions = { sctpStreamParameters: { streamId: 0, ordered: true } }

// The Worker, its WebRtcServer, the Router, the RTP observer, and the bot with what it says and
// hears.
const ALONE = 7

/** How many objects a room has. */
export const objectsOf = (participants: number) =>
  ALONE + participants * 5 + participants * (participants - 1) * 3

export interface Participant {
  sending: ms.WebRtcTransport
  receiving: ms.WebRtcTransport
  audio: ms.Producer
  video: ms.Producer
  data: ms.DataProducer
  consumers: ms.Consumer[]
  dataConsumers: ms.DataConsumer[]
}

type Opened = Awaited<ReturnType<typeof openSession>>

export class Room {
  readonly participants: Participant[] = []
  /** Objects that just are there, to make up the number. */
  readonly others: ms.DirectTransport[] = []
  readonly #opened: Opened
  #ssrc = 1000
  #sent = 0
  #heard = 0
  #isHeard = () => {}

  /** @param objects how many there are to be, at least 12 */
  static async open(url: string, objects: number, onWrong: (why: string) => void): Promise<Room> {
    const room = new Room(await openSession(url), onWrong)
    let size = 1
    while (objectsOf(size + 1) <= objects) size++
    while (room.participants.length < size) await room.join()
    for (let more = objects - objectsOf(size); more; more--)
      room.others.push(await room.router.createDirectTransport())
    return room
  }

  private constructor(opened: Opened, onWrong: (why: string) => void) {
    this.#opened = opened
    this.connection.on('died', error => onWrong(`a session died: ${error.message}`))
    opened.ears.on('message', message => {
      const number = Number(message.toString())
      if (number !== this.#heard) onWrong(`message ${this.#heard} was to come, and ${number} came`)
      this.#heard = number + 1
      this.#isHeard()
    })
  }

  get connection() {
    return this.#opened.mediasoup.connection
  }

  get worker() {
    return this.#opened.worker
  }

  get router() {
    return this.#opened.router
  }

  get consumers(): ms.Consumer[] {
    return this.participants.flatMap(({ consumers }) => consumers)
  }

  /** All of whom a Consumer is. */
  consumersOf(producer: ms.Producer) {
    return this.consumers.filter(({ producerId }) => producerId === producer.id)
  }

  async join() {
    const { observer, server, router } = this.#opened
    const createTransport = () =>
      router.createWebRtcTransport({ webRtcServer: server, enableSctp: true })
    const [sending, receiving] = await Promise.all([createTransport(), createTransport()])
    await Promise.all(
      [sending, receiving].map(transport => transport.connect({ dtlsParameters: DTLS_PARAMETERS }))
    )
    const ssrc = (this.#ssrc += 10)
    const [voice, image, data] = await Promise.all([
      sending.produce(audio(ssrc)),
      sending.produce(video(ssrc + 1)),
      sending.produceData(DATA)
    ])
    const participant: Participant = {
      sending,
      receiving,
      audio: voice,
      video: image,
      data,
      consumers: [],
      dataConsumers: []
    }
    await Promise.all(
      this.participants.flatMap(other => [
        this.#consume(participant, other),
        this.#consume(other, participant)
      ])
    )
    await observer.addProducer({ producerId: voice.id })
    this.participants.push(participant)
  }

  async #consume(listener: Participant, speaker: Participant) {
    const { rtpCapabilities } = this.router
    const { receiving } = listener
    listener.consumers.push(
      ...(await Promise.all(
        [speaker.audio, speaker.video].map(({ id }) =>
          receiving.consume({ producerId: id, rtpCapabilities, paused: true })
        )
      ))
    )
    listener.dataConsumers.push(await receiving.consumeData({ dataProducerId: speaker.data.id }))
  }

  /** Resolves when all others have heard of it. */
  async leave(participant: Participant) {
    this.participants.splice(this.participants.indexOf(participant), 1)
    const { audio, video, data } = participant
    const gone = new Set([audio.id, video.id, data.id])
    const ending = this.participants.flatMap(({ consumers, dataConsumers }) => [
      ...consumers
        .filter(({ producerId }) => gone.has(producerId))
        .map(consumer => new Promise<void>(resolve => consumer.once('producerclose', resolve))),
      ...dataConsumers
        .filter(({ dataProducerId }) => gone.has(dataProducerId))
        .map(consumer => new Promise<void>(resolve => consumer.once('dataproducerclose', resolve)))
    ])
    participant.sending.close()
    participant.receiving.close()
    await within(Promise.all(ending), MISSING_SECONDS, 'producerclose')
    for (const other of this.participants) {
      other.consumers = other.consumers.filter(({ closed }) => !closed)
      other.dataConsumers = other.dataConsumers.filter(({ closed }) => !closed)
    }
  }

  /** A message from the bot to itself. */
  async say() {
    const heard = new Promise<void>(resolve => {
      this.#isHeard = resolve
    })
    this.#opened.mouth.send(String(this.#sent++))
    await within(heard, MISSING_SECONDS, 'a message')
  }

  /** What the leaf has is what this client sees. */
  async compare() {
    const { observer, bot, router } = this.#opened
    const {
      transportIds,
      rtpObserverIds,
      mapProducerIdConsumerIds,
      mapDataProducerIdDataConsumerIds
    } = await router.dump()
    const ids = (objects: { id: string; closed: boolean }[]) =>
      objects.filter(({ closed }) => !closed).map(({ id }) => id)
    const valuesOf = (entries: { values: string[] }[]) => entries.flatMap(({ values }) => values)
    const pairs: [what: string, there: string[], here: string[]][] = [
      [
        'transports',
        transportIds,
        ids([
          bot,
          ...this.others,
          ...this.participants.flatMap(({ sending, receiving }) => [sending, receiving])
        ])
      ],
      ['RTP observers', rtpObserverIds, ids([observer])],
      [
        'Producers',
        mapProducerIdConsumerIds.map(({ key }) => key),
        ids(this.participants.flatMap(({ audio, video }) => [audio, video]))
      ],
      ['Consumers', valuesOf(mapProducerIdConsumerIds), ids(this.consumers)],
      [
        'DataConsumers',
        valuesOf(mapDataProducerIdDataConsumerIds),
        ids([this.#opened.ears, ...this.participants.flatMap(({ dataConsumers }) => dataConsumers)])
      ]
    ]
    for (const [what, there, here] of pairs) {
      if (!isDeepStrictEqual(there.toSorted(), here.toSorted()))
        throw new Error(
          `the leaf has ${there.length} ${what} of a room, and its client ${here.length}, or others`
        )
    }
  }

  /** A session whose connection is lost just then would stay on the leaf for its grace period. */
  async close() {
    const { connection } = this
    if (connection.connected) return void this.#opened.mediasoup.close()
    const regained = new Promise(resolve => connection.once('regained', resolve))
    await within(regained, MISSING_SECONDS, 'regained')
    this.#opened.mediasoup.close()
  }
}

async function openSession(url: string) {
  const mediasoup = await connect(url)
  const { worker, router } = await openRoom(mediasoup)
  const server = await worker.createWebRtcServer({ listenInfos: LISTEN_INFOS })
  const observer = await router.createAudioLevelObserver()
  const bot = await router.createDirectTransport()
  const mouth = await bot.produceData()
  const ears = await bot.consumeData({ dataProducerId: mouth.id })
  return { mediasoup, worker, router, server, observer, bot, mouth, ears }
}
