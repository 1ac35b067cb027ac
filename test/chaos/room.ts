// What an application does while things break: Routers on which RTP flows, and between which it is
// piped, transports that come and go, calls all the time. What broke it makes again.

import { isDeepStrictEqual } from 'node:util'
import { setTimeout as setTimeoutPromise } from 'node:timers/promises'
import type * as ms from 'mediasoup/types'
import type { RemoteMediasoup } from '../../client/index.ts'
import type { Random } from '../../conformance/fuzz/random.ts'
import { Flow } from './flow.ts'
import { WorkerFixture } from './worker-fixture.ts'
import { Messages } from './messages.ts'
import type { Media } from './media.ts'
import type { ClientMessage } from './client-messages.ts'

const FLOWS = 3
const TRANSPORTS = 5
const PACKETS_TO_FLOW = 5
const STEP_MS = 20

export interface RoomOptions {
  name: string
  mediasoup: RemoteMediasoup
  media: Media
  /** Whether messages may be lost. */
  mayLose: boolean
  tell(message: ClientMessage): void
}

/** A flow that broke. */
interface Broken {
  id: string
  at: number
}

export class Room {
  readonly #options: RoomOptions
  readonly #main: WorkerFixture
  readonly #annex: WorkerFixture
  readonly #flows = new Map<Flow, { id: string; isPiped: boolean }>()
  readonly #idle = new Set<ms.Transport>()
  #messages: Messages | undefined
  #serial = 0
  readonly #broken: Broken[] = []
  /** The last flow that broke. */
  lastBroken: string | undefined

  static async open(options: RoomOptions): Promise<Room> {
    const main = await WorkerFixture.open(options.mediasoup)
    try {
      return new Room(options, main, await WorkerFixture.open(options.mediasoup))
    } catch (error) {
      main.close()
      throw error
    }
  }

  private constructor(options: RoomOptions, main: WorkerFixture, annex: WorkerFixture) {
    this.#options = options
    this.#main = main
    this.#annex = annex
  }

  get isOpen() {
    return this.#main.isOpen && this.#annex.isOpen
  }

  /** One thing of many. What fails because it died is done again. */
  async step(random: Random) {
    await this.complete()
    const flow = random.pick([...this.#flows.keys()])
    if (!flow) return
    const idle = random.pick([...this.#idle])
    switch (
      random.pick(['toggle', 'toggle', 'create', 'create', 'close', 'replace', 'query'] as const)
    ) {
      case 'toggle':
        return flow.toggle()
      case 'create':
        return this.#idle.size < TRANSPORTS
          ? void this.#idle.add(
              await this.#main.router.createWebRtcTransport({
                listenInfos: [{ protocol: 'udp', ip: '127.0.0.1' }]
              })
            )
          : undefined
      case 'close': {
        idle?.close()
        return
      }
      case 'replace':
        return random.next() < 0.2 ? this.#end(flow) : undefined
      case 'query':
        return void (await flow.consumer.getStats())
    }
  }

  /** Makes what is missing, and waits until it flows. */
  async complete() {
    for (const transport of this.#idle) if (transport.closed) this.#idle.delete(transport)
    if (!this.#messages?.isOpen)
      this.#messages = await Messages.start(this.#main.router, this.#options.mayLose, why =>
        this.#blame(why)
      )
    this.#messages.send()
    for (const { consumer } of this.#flows.keys()) if (consumer.paused) await consumer.resume()
    while (this.#flows.size < FLOWS && this.isOpen) await this.#startFlow()
  }

  /** One of them is piped. */
  async #startFlow() {
    const { name, media, mediasoup, tell } = this.#options
    const isPiped = ![...this.#flows.values()].some(({ isPiped }) => isPiped)
    const number = ++this.#serial
    const id = `${name}/${this.#main.worker.pid}/${number}${isPiped ? ' (piped)' : ''}`
    const flow = await Flow.start({
      from: this.#main.router,
      to: (isPiped ? this.#annex : this.#main).router,
      media,
      ssrc: 1_000 + number,
      onBroken: why => {
        this.lastBroken = id
        this.#broken.push({ id, at: performance.now() })
        this.#flows.delete(flow)
        tell({ tell: 'broken', id, why })
      }
    })
    this.#flows.set(flow, { id, isPiped })
    const pids = await flow.pids(mediasoup)
    if (!this.#flows.has(flow)) return
    tell({ tell: 'flow', id, pids })
    // It breaks when nothing comes for too long.
    while (flow.arrived < PACKETS_TO_FLOW && this.#flows.has(flow)) await setTimeoutPromise(STEP_MS)
    if (!this.#flows.has(flow)) return
    const broken = this.#broken.shift()
    if (broken)
      tell({ tell: 'recovered', what: 'flow', ms: performance.now() - broken.at, after: broken.id })
  }

  #end(flow: Flow) {
    this.#options.tell({ tell: 'over', id: this.#flows.get(flow)!.id })
    this.#flows.delete(flow)
    flow.end()
  }

  /** What the leaves have is what this client sees. */
  async compare() {
    for (const [name, hall] of [
      ['main', this.#main],
      ['annex', this.#annex]
    ] as const) {
      for (const [what, there, here] of await hall.views())
        this.#expect(`${what} of the ${name} Router`, there, here)
      if (hall.pipes.length > 1)
        this.#blame(`the two Routers have ${hall.pipes.length} pairs of PipeTransports`)
    }
    await this.#messages?.arrive()
  }

  #expect(what: string, there: unknown, here: unknown) {
    if (!isDeepStrictEqual(there, here))
      this.#blame(
        `${what}: the leaf has ${JSON.stringify(there)}, the client ${JSON.stringify(here)}`
      )
  }

  #blame(why: string) {
    this.#options.tell({ tell: 'wrong', why: `${this.#options.name}: ${why}` })
  }

  close() {
    for (const flow of this.#flows.keys()) flow.end()
    this.#flows.clear()
    this.#main.close()
    this.#annex.close()
  }
}
