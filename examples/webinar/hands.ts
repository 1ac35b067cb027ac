// Hands that are raised: each seat has a data channel on which it says "up" or "down", and the host
// one on which it hears of all. The server is in between, by a DirectTransport.

import type * as ms from 'mediasoup/types'

export class Hands {
  readonly #transport: ms.DirectTransport
  readonly #notices: ms.DataProducer
  readonly #up = new Set<string>()

  static async open(router: ms.Router): Promise<Hands> {
    const transport = await router.createDirectTransport()
    return new Hands(transport, await transport.produceData({ label: 'hands' }))
  }

  private constructor(transport: ms.DirectTransport, notices: ms.DataProducer) {
    this.#transport = transport
    this.#notices = notices
  }

  get noticesId() {
    return this.#notices.id
  }

  /** Who has raised a hand, the first one first. */
  get up() {
    return [...this.#up]
  }

  async watch(seat: string, { id: dataProducerId }: ms.DataProducer) {
    const consumer = await this.#transport.consumeData({ dataProducerId })
    consumer.on('message', message => {
      const said = String(message)
      if (said === 'up') this.#raise(seat)
      else if (said === 'down') this.lower(seat)
    })
  }

  lower(seat: string) {
    if (this.#up.delete(seat)) this.#tell(seat, 'down')
  }

  #raise(seat: string) {
    if (this.#up.has(seat)) return
    this.#up.add(seat)
    this.#tell(seat, 'up')
  }

  #tell(seat: string, hand: 'up' | 'down') {
    if (!this.#notices.closed) this.#notices.send(JSON.stringify({ seat, hand }))
  }
}
