// Numbered messages through a DataProducer and a DataConsumer: each arrives, once, and in order.
// Only a proxy that is killed takes those along that were in it.

import type * as ms from 'mediasoup/types'
import { until } from '../kit/until.ts'

const SECONDS_TO_ARRIVE = 60

export class Messages {
  readonly transports: readonly ms.Transport[]
  readonly #producer: ms.DataProducer
  readonly #consumer: ms.DataConsumer
  #sent = 0
  #heard = 0

  static async start(
    router: ms.Router,
    mayLose: boolean,
    onWrong: (why: string) => void
  ): Promise<Messages> {
    const transports: ms.DirectTransport[] = []
    try {
      while (transports.length < 2) transports.push(await router.createDirectTransport())
      const [up, down] = transports as [ms.DirectTransport, ms.DirectTransport]
      const producer = await up.produceData()
      return new Messages(
        transports,
        producer,
        await down.consumeData({ dataProducerId: producer.id }),
        mayLose,
        onWrong
      )
    } catch (error) {
      for (const transport of transports) transport.close()
      throw error
    }
  }

  private constructor(
    transports: ms.Transport[],
    producer: ms.DataProducer,
    consumer: ms.DataConsumer,
    mayLose: boolean,
    onWrong: (why: string) => void
  ) {
    this.transports = transports
    this.#producer = producer
    this.#consumer = consumer
    consumer.on('message', message => {
      const number = Number(message.toString())
      if (mayLose ? number < this.#heard : number !== this.#heard)
        onWrong(`message ${this.#heard} was to come, and ${number} came`)
      this.#heard = number + 1
    })
    // What is left of it is not used any more.
    for (const object of [producer, consumer])
      object.observer.on('close', () => {
        for (const transport of transports) transport.close()
      })
  }

  get isOpen() {
    return !this.#producer.closed && !this.#consumer.closed
  }

  send() {
    this.#producer.send(String(this.#sent++))
  }

  /** Waits until all have. */
  async arrive() {
    await until(
      () => !this.isOpen || this.#heard >= this.#sent,
      SECONDS_TO_ARRIVE,
      'all messages arrive'
    )
  }
}
