// A room in which everybody hears and sees all others, placed by `vertical` on simulated Workers:
// what of it is piped.

import type * as ms from 'mediasoup/types'
import { FakeLeaf, type FakeObject, SHARE, descendants } from './fake-leaf.ts'
import { audio, createTransport, openRoom, video } from './room.ts'

export interface PipedRoom {
  /** On which transports of its peers are. */
  workers: number
  producers: number
  /** Producers on Workers to which they were piped. */
  pipes: number
  /** Those of them that nobody consumes. */
  needless: number
}

interface Seat {
  receiving: ms.Transport
  producers: ms.Producer[]
}

type Product = Pick<typeof import('../../index.ts'), 'client' | 'vertical'>

/**
 * The room on that many Workers, if it has as many transports: `vertical` takes the next at a
 * watermark that is low enough.
 */
export async function spreadRoom(
  product: Product,
  peers: number,
  workers: number
): Promise<PipedRoom> {
  const load = (2 * peers + 2 * peers * (peers - 1)) * SHARE
  for (let watermark = load / workers; ; watermark /= 2) {
    const room = await pipesOfRoom(product, peers, workers, watermark)
    if (room.workers >= Math.min(workers, 2 * peers) || watermark < SHARE / 4) return room
  }
}

/** Two transports, audio and video for each peer. */
export async function pipesOfRoom(
  { client, vertical }: Product,
  peers: number,
  cores: number,
  watermark: number
): Promise<PipedRoom> {
  const leaf = new FakeLeaf(cores)
  const mediasoup = await client(vertical(leaf, { watermark }))
  const room = await openRoom(mediasoup)
  const seats: Seat[] = []
  for (let i = 0; i < peers; i++) {
    const [sending, receiving] = [await createTransport(room), await createTransport(room)]
    const seat: Seat = {
      receiving,
      producers: [await sending.produce(audio()), await sending.produce(video())]
    }
    const consume = ({ receiving }: Seat, { producers }: Seat) =>
      Promise.all(
        producers.map(({ id }) =>
          receiving.consume({ producerId: id, rtpCapabilities: room.rtpCapabilities })
        )
      )
    await Promise.all(seats.flatMap(other => [consume(seat, other), consume(other, seat)]))
    seats.push(seat)
  }
  const result = { producers: 2 * peers, ...pipesOf(leaf) }
  mediasoup.close()
  leaf.close()
  return result
}

function pipesOf(leaf: FakeLeaf) {
  const routers = leaf.of('Router')
  const piped = routers.flatMap(router =>
    descendants(router, 'Producer')
      .filter(isPiped)
      .map(producer => ({ router, producer }))
  )
  return {
    workers: routers.filter(router =>
      [...router.children].some(({ kind }) => kind === 'WebRtcTransport')
    ).length,
    pipes: piped.length,
    needless: piped.filter(
      ({ router, producer }) =>
        !descendants(router, 'Consumer').some(
          ({ members }) => members.producerId === producer.members.id
        )
    ).length
  }
}

const isPiped = ({ parent }: FakeObject) => parent!.kind === 'PipeTransport'
