// Somebody who watches the webinar by plain RTP: what arrives of each Consumer is counted.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type * as ms from 'mediasoup/types'
import { type Mark, markOf } from './performer.ts'
import { isRtcp } from './rtp.ts'
import type { Answer, Member } from './signalling.ts'

const RECEIVE_BYTES = 4 * 1024 * 1024

/** A Consumer, as the application tells it. */
interface Told {
  id: string
  seat: string
  kind: ms.MediaKind
  rtpParameters: ms.RtpParameters
}

/** What arrived of a Consumer. */
export interface Received {
  id: string
  seat: string
  kind: ms.MediaKind
  packets: number
  /** Of what was sent between packets of the same layer. */
  lost: number
  /** What the newest packet said. */
  mark: Mark | undefined
}

export class Viewer {
  readonly member: Member
  readonly #socket = createSocket({ type: 'udp4', recvBufferSize: RECEIVE_BYTES })
  readonly #bySsrc = new Map<number, Received>()

  constructor(member: Member) {
    this.member = member
    this.#socket.on('message', packet => {
      if (!isRtcp(packet)) this.#received(packet)
    })
  }

  get streams(): Received[] {
    return [...this.#bySsrc.values()]
  }

  /** Resolves when all on stage can be resumed. */
  async watch() {
    const { ask, on } = this.member
    this.#socket.bind(0, '127.0.0.1')
    await once(this.#socket, 'listening')
    const { id: transportId } = await ask('createPlainTransport', { comedia: false })
    const { port } = this.#socket.address()
    await ask('connectTransport', { transportId, ip: '127.0.0.1', port })
    on('consumer', told => this.resume([this.#add(told as unknown as Told)]))
    on('consumerClosed', ({ consumerId }) => this.#remove(consumerId))
    const { consumers } = (await ask('watch', { transportId })) as { consumers: Told[] }
    return consumers.map(told => this.#add(told))
  }

  resume(streams: Received[]): Promise<Answer> {
    return this.member.ask('resume', { consumerIds: streams.map(({ id }) => id) })
  }

  /** Says how wide its tiles are, in pixels. */
  tiles(width: number): Promise<Answer> {
    const videos = this.streams.filter(({ kind }) => kind === 'video')
    const tiles = Object.fromEntries(videos.map(({ id }) => [id, width]))
    return this.member.ask('tiles', { tiles })
  }

  /** From now on, what arrives is counted anew. */
  count() {
    for (const stream of this.#bySsrc.values()) Object.assign(stream, { packets: 0, lost: 0 })
  }

  close() {
    this.#socket.close()
    this.member.socket.terminate()
  }

  #add({ id, seat, kind, rtpParameters }: Told): Received {
    const stream: Received = { id, seat, kind, packets: 0, lost: 0, mark: undefined }
    this.#bySsrc.set(rtpParameters.encodings![0]!.ssrc!, stream)
    return stream
  }

  #remove(consumerId: unknown) {
    for (const [ssrc, { id }] of this.#bySsrc) if (id === consumerId) this.#bySsrc.delete(ssrc)
  }

  #received(packet: Buffer) {
    const stream = this.#bySsrc.get(packet.readUInt32BE(8))
    const mark = markOf(packet)
    if (!stream || !mark) return
    stream.packets++
    const before = stream.mark
    if (before?.layer !== mark.layer) stream.mark = mark
    else if (mark.serial < before.serial)
      stream.lost-- // It comes late, and is not lost.
    else {
      stream.lost += mark.serial - before.serial - 1
      stream.mark = mark
    }
  }
}
