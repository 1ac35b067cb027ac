// What is called in a room while nobody comes or goes, and how often: one call each, with the event
// that it causes, if any.

import type * as ms from 'mediasoup/types'
import type { Random } from '../../conformance/fuzz/random.ts'
import type { Room } from './room.ts'
import { within } from '../kit/until.ts'
import { MISSING_SECONDS } from './plan.ts'

interface Call {
  weight: number
  make(room: Room, random: Random): unknown
}

const CALLS: Call[] = [
  { weight: 24, make: (room, random) => oneConsumer(room, random)?.getStats() },
  { weight: 8, make: ({ participants }, random) => random.pick(participants).sending.getStats() },
  { weight: 4, make: ({ participants }, random) => random.pick(participants).audio.getStats() },
  { weight: 16, make: (room, random) => toggle(oneConsumer(room, random)) },
  { weight: 10, make: toggleProducer },
  {
    weight: 8,
    make: (room, random) =>
      videoConsumer(room, random)?.setPreferredLayers({
        spatialLayer: Math.floor(random.next() * 3),
        temporalLayer: 1
      })
  },
  { weight: 5, make: (room, random) => videoConsumer(room, random)?.requestKeyFrame() },
  {
    weight: 4,
    make: (room, random) =>
      oneConsumer(room, random)?.setPriority(1 + Math.floor(random.next() * 255))
  },
  {
    weight: 4,
    make: ({ participants }, random) =>
      random
        .pick(participants)
        .receiving.setMaxOutgoingBitrate(1_000_000 + Math.floor(random.next() * 1e6))
  },
  {
    weight: 2,
    make: ({ participants }, random) => random.pick(participants).receiving.restartIce()
  },
  { weight: 3, make: (room, random) => oneConsumer(room, random)?.dump() },
  { weight: 2, make: room => room.compare() },
  {
    weight: 1,
    make: async ({ router }) =>
      router.updateMediaCodecs(
        router.rtpCapabilities.codecs!.filter(({ mimeType }) => !mimeType.endsWith('/rtx'))
      )
  },
  { weight: 1, make: ({ connection, router }) => connection.locate(router) },
  { weight: 1, make: ({ connection }) => connection.getLoad() },
  { weight: 2, make: ({ worker }) => worker.getResourceUsage() },
  { weight: 10, make: room => room.say() }
]

const TOTAL = CALLS.reduce((sum, { weight }) => sum + weight, 0)

/** One of many. */
export async function call(room: Room, random: Random) {
  let at = random.next() * TOTAL
  await CALLS.find(({ weight }) => (at -= weight) < 0)!.make(room, random)
}

// Who is alone consumes nothing.
const oneConsumer = ({ consumers }: Room, random: Random) =>
  consumers.length ? random.pick(consumers) : undefined

function videoConsumer({ consumers }: Room, random: Random) {
  const ofVideo = consumers.filter(({ kind }) => kind === 'video')
  return ofVideo.length ? random.pick(ofVideo) : undefined
}

const toggle = async (object: ms.Consumer | ms.Producer | undefined) =>
  object?.paused ? object.resume() : object?.pause()

/** Each Consumer hears of it. */
async function toggleProducer(room: Room, random: Random) {
  const participant = random.pick(room.participants)
  const producer = random.pick([participant.audio, participant.video])
  const event = producer.paused ? 'producerresume' : 'producerpause'
  const heard = room
    .consumersOf(producer)
    .map(consumer => new Promise<void>(resolve => consumer.once(event, resolve)))
  await toggle(producer)
  await within(Promise.all(heard), MISSING_SECONDS, event)
}
