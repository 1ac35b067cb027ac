// The transports of one seat. Browsers come by WebRTC; gateways and players by plain RTP.

import type * as ms from 'mediasoup/types'
import type { WebinarOptions } from './webinar.ts'

type Connectable = ms.Transport & { connect(parameters: never): Promise<void> }

export class Transports {
  readonly #router: ms.Router
  readonly #options: WebinarOptions
  readonly #onLost: (transportId: string) => void
  readonly #transports = new Map<string, Connectable>()
  #closed = false

  /** @param onLost is told when one is closed, perhaps with its Worker or its machine */
  constructor(router: ms.Router, options: WebinarOptions, onLost: (transportId: string) => void) {
    this.#router = router
    this.#options = options
    this.#onLost = onLost
  }

  async createWebRtc() {
    const transport = await this.#router.createWebRtcTransport({
      webRtcServer: this.#options.webRtcServer,
      initialAvailableOutgoingBitrate: 1_000_000,
      enableSctp: true
    })
    transport.observer.once('close', () => this.#lost(transport))
    transport.on('dtlsstatechange', state => {
      if (state === 'closed' || state === 'failed') transport.close()
    })
    this.#keep(transport)
    const { id, iceParameters, iceCandidates, dtlsParameters, sctpParameters } = transport
    return { id, iceParameters, iceCandidates, dtlsParameters, sctpParameters }
  }

  async createPlain({ comedia = true, enableSctp = false }: { [option: string]: unknown }) {
    const transport = await this.#router.createPlainTransport({
      listenInfo: { protocol: 'udp', ip: this.#options.listenIp },
      comedia: comedia === true,
      enableSctp: enableSctp === true
    })
    transport.observer.once('close', () => this.#lost(transport))
    this.#keep(transport)
    const { id, tuple } = transport
    return { id, ip: tuple.localAddress, port: tuple.localPort }
  }

  get(id: unknown): Connectable {
    const transport = this.#transports.get(String(id))
    if (!transport) throw new Error(`there is no transport ${id}`)
    return transport
  }

  close() {
    this.#closed = true
    for (const transport of this.#transports.values()) transport.close()
  }

  #keep(transport: Connectable) {
    if (this.#closed) transport.close() // Who asked for it has left meanwhile.
    if (transport.closed) throw new Error('the transport is closed already')
    this.#transports.set(transport.id, transport)
  }

  #lost({ id }: ms.Transport) {
    this.#transports.delete(id)
    if (!this.#closed) this.#onLost(id)
  }
}
