// A session of WHIP or WHEP: one WebRtcTransport, and what HTTP may do with it.

import { randomUUID } from 'node:crypto'
import { UnsupportedError } from 'mediasoup/errors'
import type * as ms from 'mediasoup/types'
import * as sdp from 'sdp-transform'
import { Problem } from './problem.ts'
import { Answer, iceOf, type Offer, writeFragment } from './sdp.ts'

// As long as mediasoup waits for a participant that has gone.
const CONNECT_MS = 30_000

/** Puts media on a transport, and into the answer. */
export type Build = (transport: ms.WebRtcTransport, answer: Answer) => Promise<void>

export interface Patched {
  /** A fragment with the new credentials, if ICE was restarted. */
  fragment?: string
}

export class Session {
  readonly id = randomUUID()
  /** Of the ICE session: it changes when ICE restarts. */
  etag = newTag()
  readonly answer: string
  readonly #transport: ms.WebRtcTransport
  readonly #session: sdp.SessionDescription
  #iceUfrag: string

  static async open(
    router: ms.Router,
    webRtcServer: ms.WebRtcServer,
    offer: Offer,
    build: Build
  ): Promise<Session> {
    const transport = await router.createWebRtcTransport({
      webRtcServer,
      initialAvailableOutgoingBitrate: 1_000_000
    })
    try {
      const answer = new Answer(offer, transport)
      await transport.connect({ dtlsParameters: offer.dtlsParameters })
      await build(transport, answer)
      return new Session(transport, answer.toSession(), offer.iceUfrag)
    } catch (error) {
      transport.close()
      // What mediasoup says of parameters that it does not take: they are those of the offer.
      const isOfOffer = error instanceof TypeError || error instanceof UnsupportedError
      throw isOfOffer ? new Problem(422, error.message) : error
    }
  }

  private constructor(
    transport: ms.WebRtcTransport,
    session: sdp.SessionDescription,
    iceUfrag: string
  ) {
    this.#transport = transport
    this.#session = session
    this.#iceUfrag = iceUfrag
    this.answer = sdp.write(session)
    closeWhenGone(transport)
  }

  onceClosed(listener: () => void) {
    if (this.#transport.closed) listener()
    else this.#transport.observer.once('close', listener)
  }

  /**
   * Candidates are not needed: mediasoup is ICE lite, so it learns of them from the checks. Other
   * credentials are a restart.
   */
  async patch(text: string): Promise<Patched> {
    const { iceUfrag, icePwd } = iceOf(sdp.parse(text))
    if (!iceUfrag || !icePwd) throw new Problem(400, 'the fragment must have ICE credentials')
    if (iceUfrag === this.#iceUfrag) return {}
    const iceParameters = await this.#transport.restartIce()
    this.#iceUfrag = iceUfrag
    this.etag = newTag()
    return { fragment: writeFragment(this.#session, iceParameters) }
  }

  close() {
    this.#transport.close()
  }
}

const newTag = () => `"${randomUUID()}"`

function closeWhenGone(transport: ms.WebRtcTransport) {
  const close = () => transport.close()
  const timer = setTimeout(close, CONNECT_MS)
  transport.observer.once('close', () => clearTimeout(timer))
  transport.on('dtlsstatechange', state => {
    if (state === 'connected') clearTimeout(timer)
    if (state === 'closed' || state === 'failed') close()
  })
  transport.on('icestatechange', state => {
    if (state === 'disconnected' || state === 'closed') close()
  })
}
