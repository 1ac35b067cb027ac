// A second session on the tier under attack. It works all the time and checks every answer.

import assert from 'node:assert/strict'
import type * as ms from 'mediasoup/types'
import { type RemoteMediasoup, connect } from '../../client/index.ts'

const AUDIO: ms.ProducerOptions = {
  kind: 'audio',
  rtpParameters: {
    codecs: [{ mimeType: 'audio/opus', payloadType: 111, clockRate: 48000, channels: 2 }],
    encodings: [{ ssrc: 1000 }]
  }
}

const CALLS_AT_ONCE = 10

export class Bystander {
  readonly mediasoup: RemoteMediasoup
  readonly #worker: ms.Worker
  #working: Promise<void> | undefined
  #resting = true
  /** How often it did all of its work. */
  rounds = 0
  /** What went wrong, if something did. */
  problem: string | undefined

  static async open(url: string) {
    const mediasoup = await connect(url, { reconnect: false })
    return new Bystander(mediasoup, await mediasoup.createWorker({ logLevel: 'none' }))
  }

  private constructor(mediasoup: RemoteMediasoup, worker: ms.Worker) {
    this.mediasoup = mediasoup
    this.#worker = worker
    mediasoup.connection.on('lost', error => {
      this.problem ??= `the bystander's connection was lost: ${error.message}`
    })
    worker.on('died', error => {
      this.problem ??= `the bystander's Worker died: ${error.message}`
    })
  }

  /** The handle of its Worker, which others must not be able to use. */
  get handle(): string {
    return (this.#worker as unknown as { handle: string }).handle
  }

  work() {
    this.#resting = false
    this.#working = this.#workOn().catch(error => {
      this.problem ??= `the bystander was disturbed: ${(error as Error).message}`
    })
  }

  /** Ends the current round: then only its Worker is left. */
  async rest() {
    this.#resting = true
    await this.#working
  }

  async close() {
    await this.rest()
    this.mediasoup.close()
  }

  async #workOn() {
    do {
      await this.#round()
      this.rounds++
    } while (!this.#resting && !this.problem)
  }

  async #round() {
    const router = await this.#worker.createRouter({
      mediaCodecs: [{ kind: 'audio', mimeType: 'audio/opus', clockRate: 48000, channels: 2 }]
    })
    const transport = await router.createDirectTransport()
    const producer = await transport.produce(AUDIO)
    const consumer = await transport.consume({
      producerId: producer.id,
      rtpCapabilities: router.rtpCapabilities
    })
    const heard: string[] = []
    consumer.on('producerpause', () => heard.push('pause'))
    consumer.on('producerresume', () => heard.push('resume'))
    await producer.pause()
    assert.equal(producer.paused, true)
    await producer.resume()
    assert.equal(producer.paused, false)
    const order: number[] = []
    const dumps = Array.from({ length: CALLS_AT_ONCE }, (_, i) =>
      consumer.dump().finally(() => order.push(i))
    )
    for (const { id } of await Promise.all(dumps)) assert.equal(id, consumer.id)
    assert.deepEqual(order, [...order.keys()], 'answers come in the order of their calls')
    assert.deepEqual(heard, ['pause', 'resume'])
    router.close()
    assert.equal(consumer.closed, true)
    assert.deepEqual((await this.#worker.dump()).routerIds, [])
  }
}
