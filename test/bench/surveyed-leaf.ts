// A leaf with many Consumers of its own, in a process that is asked what it has used of a core, in
// ms, since it was asked before.

import * as mediasoup from 'mediasoup'
import { client, leaf, serve } from '../kit/product.ts'
import { audio, openRoom } from '../kit/room.ts'

const CONSUMERS_PER_TRANSPORT = 100

const [count] = process.argv.slice(2)
const tier = leaf(mediasoup)
const server = await serve(tier)
const room = await openRoom(await client(tier))
const sending = await room.router.createDirectTransport()
const { id: producerId } = await sending.produce(audio())
const { rtpCapabilities } = room
for (let made = 0; made < Number(count); made += CONSUMERS_PER_TRANSPORT) {
  const receiving = await room.router.createDirectTransport()
  for (let i = 0; i < CONSUMERS_PER_TRANSPORT; i++)
    await receiving.consume({ producerId, rtpCapabilities })
}

let before = process.cpuUsage()
process.on('message', () => {
  const { user, system } = process.cpuUsage(before)
  before = process.cpuUsage()
  process.send!((user + system) / 1000)
})
process.send!(server.url)
