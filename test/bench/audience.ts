// One Producer and a growing audience. What a Worker has to do for each Consumer is real: a socket,
// SRTP, and packets over loopback. Who receives does least: one Consumer on each Worker is counted,
// and the packets of all others arrive at the socket of a process that is stopped, where the system
// drops them.

import type * as ms from 'mediasoup/types'
import type { Delays, Order } from './endpoint.ts'
import { ask, startScript } from './processes.ts'
import { type Mediasoup, audio, openRoom } from '../kit/room.ts'

const ADDRESS = '127.0.0.1'
const LISTEN_INFO = { protocol: 'udp', ip: ADDRESS } as const
const SRTP: ms.SrtpParameters = {
  cryptoSuite: 'AES_CM_128_HMAC_SHA1_80',
  keyBase64: Buffer.alloc(30, 'bench').toString('base64')
}
const POLL_MS = 20
const SETTLE_MS = 300

export const PACKET_BYTES = 1_000

export interface Outcome {
  /** Share of the packets, on the worst Worker. */
  loss: number
  /** Packets that arrived at all Consumers. */
  perSecond: number
  perCpuSecond: number
}

export async function openAudience(mediasoup: Mediasoup, workers: number) {
  const endpoints = await Promise.all([1, 2, 3].map(startEndpoint))
  const [generator, witness, sink] = endpoints as [Endpoint, Endpoint, Endpoint]
  sink.child.kill('SIGSTOP')
  const room = await openRoom(mediasoup)
  const source = await room.router.createPlainTransport({ listenInfo: LISTEN_INFO, comedia: true })
  const producer = await source.produce(audio())
  const witnesses: ms.PlainTransport[] = []
  let size = 0

  return { growTo, perform, settle, end }

  /** With the policy `scatter`, the first Consumers are on one Worker each. */
  async function growTo(consumers: number) {
    for (; size < consumers; size++) {
      const isCounted = size < workers
      const transport = await room.router.createPlainTransport({
        listenInfo: LISTEN_INFO,
        enableSrtp: !isCounted
      })
      await transport.connect(
        isCounted
          ? { ip: ADDRESS, port: witness.port }
          : { ip: ADDRESS, port: sink.port, srtpParameters: SRTP }
      )
      await transport.consume({ producerId: producer.id, rtpCapabilities: room.rtpCapabilities })
      if (isCounted) witnesses.push(transport)
    }
  }

  /** @param slackMs how long after the last one a packet may arrive, to count */
  async function perform(packets: number, everyMs: number, slackMs: number): Promise<Outcome> {
    const before = await cpuOf(room.worker)
    const took = await ask<number>(generator.child, {
      send: packets,
      everyMs,
      bytes: PACKET_BYTES,
      address: ADDRESS,
      port: source.tuple.localPort
    } satisfies Order)
    const deadline = performance.now() + slackMs
    const counts = witnesses.map(() => 0)
    do {
      await delay(POLL_MS)
      const arrived = await ask<Delays>(witness.child, { take: true } satisfies Order)
      witnesses.forEach(({ tuple }, i) => {
        counts[i]! += arrived[tuple.localPort]?.length ?? 0
      })
    } while (Math.min(...counts) < packets && performance.now() < deadline)
    const cpuMs = (await cpuOf(room.worker)) - before
    // There are as many Consumers on each Worker.
    const delivered = (size * counts.reduce((sum, count) => sum + count, 0)) / counts.length
    return {
      loss: 1 - Math.min(...counts) / packets,
      perSecond: (delivered / took) * 1000,
      perCpuSecond: (delivered / cpuMs) * 1000
    }
  }

  /** Until nothing that was sent is under way any more. */
  async function settle() {
    do await delay(SETTLE_MS)
    while (Object.keys(await ask<Delays>(witness.child, { take: true } satisfies Order)).length)
  }

  function end() {
    room.worker.close()
    for (const { child } of endpoints) child.kill('SIGKILL')
  }
}

interface Endpoint {
  child: ReturnType<typeof startScript>
  port: number
}

async function startEndpoint(): Promise<Endpoint> {
  const child = startScript('bench/endpoint', [ADDRESS])
  return { child, port: await ask<number>(child) }
}

/** User and system time, in ms. */
async function cpuOf(worker: ms.Worker): Promise<number> {
  const { ru_utime, ru_stime } = await worker.getResourceUsage()
  return ru_utime + ru_stime
}

const delay = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))
