// A data channel of the webinar by plain SCTP: one raises a hand, the host hears of hands.

import { createSocket } from 'node:dgram'
import { SCTP, WEBRTC_PPID, createUdpTransport } from 'werift-sctp'
import type { Member } from './signalling.ts'

const SCTP_PORT = 5_000

/** An SCTP association with a transport of its own. */
async function openChannel({ ask }: Member) {
  const { id: transportId, ip, port } = await ask('createPlainTransport', { enableSctp: true })
  const peer = { address: String(ip), port: Number(port) }
  const sctp = SCTP.client(createUdpTransport(createSocket('udp4'), peer))
  const connected = sctp.stateChanged.connected.asPromise()
  await Promise.all([sctp.start(SCTP_PORT), connected])
  return {
    transportId,
    sctp,
    async close() {
      await sctp.stop()
      await sctp.transport.close()
    }
  }
}

export async function openHand(member: Member) {
  const { transportId, sctp, close } = await openChannel(member)
  const sctpStreamParameters = { streamId: 0, ordered: true }
  await member.ask('produceHand', { transportId, sctpStreamParameters })
  return {
    say: (word: 'up' | 'down') => sctp.send(0, WEBRTC_PPID.STRING, Buffer.from(word)),
    close
  }
}

export interface Raised {
  seat: string
  hand: 'up' | 'down'
}

/** What the host is told of hands, in order. */
export async function hearHands(host: Member) {
  const { transportId, sctp, close } = await openChannel(host)
  const heard: Raised[] = []
  sctp.onReceive.subscribe((_, __, data) => void heard.push(JSON.parse(String(data))))
  await host.ask('consumeHands', { transportId })
  return { heard, close }
}
