// RTP through a DirectTransport: from the application to a Producer, and from its Consumer back.

import * as localMediasoup from 'mediasoup'
import { Durations } from '../../kit/durations.ts'
import { type Group, type Sample, rate, rounds, row, quick } from '../measure.ts'
import { end, startLeaf } from '../processes.ts'
import { connect } from '../../kit/product.ts'
import { type Mediasoup, audio, openRoom, rtpPacket } from '../../kit/room.ts'

const ROUNDS = 9
const ROUND_MS = quick ? 50 : 400
const IN_FLIGHT = 64
const PACKET_BYTES = 1000

export const rtp: Group = {
  name: 'rtp',
  about: `RTP packets of ${PACKET_BYTES} B through a DirectTransport, ${IN_FLIGHT} in flight (p50 and p99 of the delay in µs)`,

  async run() {
    const process = await startLeaf()
    const remote = await connect(process.url)
    const [local, leaf] = [await open(localMediasoup), await open(remote)]
    const samples = await rounds(ROUNDS, { local: () => flow(local), leaf: () => flow(leaf) })
    for (const { worker } of [local, leaf]) worker.close()
    remote.close()
    await end(process.child)
    const unit = 'packets/s'
    return [
      row({ what: 'RTP, local', unit, samples: samples.local }),
      row({ what: 'RTP, leaf', unit, samples: samples.leaf, to: { local: samples.local } })
    ]
  }
}

async function open(mediasoup: Mediasoup) {
  const { worker, router, rtpCapabilities } = await openRoom(mediasoup)
  const transport = await router.createDirectTransport()
  const producer = await transport.produce(audio())
  const consumer = await transport.consume({ producerId: producer.id, rtpCapabilities })
  return { worker, producer, consumer, sequence: 0 }
}

type Flow = Awaited<ReturnType<typeof open>>

/** Nothing is dropped: what is in flight is far less than what may wait. */
function flow(flow: Flow): Promise<Sample> {
  return new Promise(resolve => {
    const durations = new Durations()
    const deadline = performance.now() + ROUND_MS
    const sent: number[] = []
    flow.consumer.on('rtp', onRtp)
    for (let i = 0; i < IN_FLIGHT; i++) send()

    function send() {
      sent.push(performance.now())
      flow.producer.send(rtpPacket(++flow.sequence, PACKET_BYTES))
    }

    function onRtp() {
      const now = performance.now()
      durations.add(now - sent.shift()!)
      if (now < deadline) return send()
      if (sent.length) return
      flow.consumer.off('rtp', onRtp)
      resolve(rate(durations.stop()))
    }
  })
}
