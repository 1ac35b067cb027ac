// A process whose heap is measured (--expose-gc): `local` and `client <url>` make Consumers, `leaf`
// serves them.

import * as mediasoup from 'mediasoup'
import { heap } from '../kit/heap.ts'
import { connect, leaf, serve } from '../kit/product.ts'
import { type Mediasoup, audio, createTransport, openRoom, video } from '../kit/room.ts'

const CONSUMERS_PER_TRANSPORT = 100

const [role, url] = process.argv.slice(2)

if (role === 'leaf') {
  const server = await serve(leaf(mediasoup))
  process.on('message', async () => process.send!(await heap()))
  process.send!(server.url)
} else {
  const make = await consumersOf(role === 'client' ? await connect(url!) : mediasoup)
  process.on('message', async (count: number) => {
    await make(count)
    process.send!(await heap())
  })
  process.send!('ready')
}

/** Makes that many Consumers, half of audio and half of video. */
async function consumersOf(mediasoup: Mediasoup) {
  const room = await openRoom(mediasoup)
  const sending = await createTransport(room)
  const producers = [await sending.produce(audio()), await sending.produce(video())]

  return async function make(count: number) {
    for (let made = 0; made < count; made += CONSUMERS_PER_TRANSPORT) {
      const receiving = await createTransport(room)
      for (let i = 0; i < CONSUMERS_PER_TRANSPORT; i++)
        await receiving.consume({
          producerId: producers[i % 2]!.id,
          rtpCapabilities: room.rtpCapabilities
        })
    }
  }
}
