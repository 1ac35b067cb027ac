// Bytes of heap in a proxy per object of its clients.

import type * as ms from 'mediasoup/types'
import { type Group, type Sample, rounds, row, quick } from '../measure.ts'
import { type Role, type Served, ask, end, startHop, startLeaf } from '../processes.ts'
import { connect } from '../../kit/product.ts'
import { createTransport, openRoom, video } from '../../kit/room.ts'

const ROUNDS = 3
const WARM_UP_OBJECTS = quick ? 50 : 500
const OBJECTS = quick ? 200 : 2000
const AT_ONCE = 20
const ACKNOWLEDGED_MS = 1_500
const KINDS = ['Consumer', 'Producer', 'DirectTransport'] as const

interface Measured extends Sample {
  sizes: Record<string, number>
}

export const routes: Group = {
  name: 'routes',
  about: `bytes of heap in a proxy per object, of ${OBJECTS}`,

  async run() {
    const samples = await rounds(
      ROUNDS,
      { cluster: () => measure('cluster'), vertical: () => measure('vertical') },
      { warmUp: 0 }
    )
    return Object.entries(samples).flatMap(([role, samples]) =>
      KINDS.map(kind =>
        row({
          what: `${kind}, ${role}`,
          unit: 'B',
          samples: samples.map(({ sizes }) => ({ value: sizes[kind]! })),
          target: { of: 'value', atMost: 300 }
        })
      )
    )
  }
}

/** Each time in a proxy that has passed on nothing yet. */
async function measure(role: Role): Promise<Measured> {
  const leaf = await startLeaf()
  const hop = await startHop(role, [leaf.url])
  const remote = await connect(hop.url)
  const room = await openRoom(remote)
  const [sending, receiving, direct] = [
    await createTransport(room),
    await createTransport(room),
    await room.router.createDirectTransport()
  ]
  const { id: producerId } = await sending.produce(video())
  let ssrc = 10_000
  const makers: Record<(typeof KINDS)[number], () => Promise<unknown>> = {
    Consumer: () => receiving.consume({ producerId, rtpCapabilities: room.rtpCapabilities }),
    Producer: () => direct.produce(manyLike(video((ssrc += 10)))),
    DirectTransport: () => room.router.createDirectTransport()
  }
  const sizes: Record<string, number> = {}
  for (const kind of KINDS) {
    await make(WARM_UP_OBJECTS, makers[kind])
    const before = await settledHeap(hop)
    await make(OBJECTS, makers[kind])
    sizes[kind] = ((await settledHeap(hop)) - before) / OBJECTS
  }
  remote.close()
  await Promise.all([end(hop.child), end(leaf.child)])
  return { value: NaN, sizes }
}

// What was sent last is kept until it is acknowledged, which may take a second.
async function settledHeap({ child }: Served): Promise<number> {
  await new Promise(resolve => setTimeout(resolve, ACKNOWLEDGED_MS))
  return ask(child, 'heap')
}

// A mid names one Producer of a transport.
const manyLike = ({ rtpParameters, ...options }: ms.ProducerOptions) => ({
  ...options,
  rtpParameters: { ...rtpParameters, mid: undefined }
})

async function make(count: number, one: () => Promise<unknown>) {
  for (let made = 0; made < count; made += AT_ONCE)
    await Promise.all(Array.from({ length: AT_ONCE }, one))
}
