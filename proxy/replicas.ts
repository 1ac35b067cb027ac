// A Producer on further Workers than its own: piped on demand, once per Producer and Worker, and until a little after its
// last user there is gone.

import { errors } from '../lib/mediasoup.ts'
import type { Frame } from '../lib/tier.ts'
import type { Handle } from '../lib/wire.ts'
import { nodeOf } from './head.ts'
import type { Pipes } from './pipes.ts'
import type { Branch } from './session.ts'
import type { Produced, Replica, RouterPart } from './span.ts'

// Between Workers of one host, nobody else sees the packets, and none is lost.
const WITHIN_A_HOST = { enableSrtp: false, enableRtx: false, listenInfo: { protocol: 'udp', ip: '127.0.0.1' } }

export class Replicas {
  readonly #pipes: Pipes
  readonly #branch: Branch
  readonly #linger: number
  // Pipe Producers to the handle of the Producer that the client knows.
  readonly #names = new Map<Handle, Handle>()
  readonly #timers = new Set<NodeJS.Timeout>()

  constructor(pipes: Pipes, branch: Branch, linger: number) {
    this.#pipes = pipes
    this.#branch = branch
    this.#linger = linger
  }

  /** The Producer on a Worker, for one more user. */
  hold(produced: Produced, part: RouterPart): Replica {
    let replica = produced.replicas.get(part)
    if (!replica) {
      replica = this.#make(produced, part)
      produced.replicas.set(part, replica)
    }
    replica.users++
    if (replica.timer) this.#timers.delete(replica.timer)
    clearTimeout(replica.timer)
    return replica
  }

  release(replica: Replica) {
    if (--replica.users > 0) return
    replica.timer = setTimeout(() => replica.drop(), this.#linger).unref()
    this.#timers.add(replica.timer)
  }

  /** The Producer is gone; its pipes end by themselves. */
  forget(produced: Produced) {
    for (const { handle } of produced.replicas.values()) if (handle) this.#names.delete(handle)
    produced.replicas.clear()
  }

  /** In what RTP observers tell, the original Producers. */
  named(frame: Frame): Frame {
    if (typeof frame !== 'string' || !frame.includes('{"$":"')) return frame
    return frame.replace(/\{"\$":"([^"]+)"\}/g, (reference, handle) => {
      const name = this.#names.get(handle)
      return name === undefined ? reference : `{"$":"${name}"}`
    })
  }

  end() {
    for (const timer of this.#timers) clearTimeout(timer)
  }

  #make(produced: Produced, part: RouterPart): Replica {
    const gateway = this.#gateway(produced, part)
    const replica: Replica = {
      of: produced,
      users: 0,
      ready: this.#pipe(produced, part, gateway),
      drop: () => {
        if (produced.replicas.get(part) === replica) produced.replicas.delete(part)
        if (gateway) this.release(gateway.replica)
        if (replica.handle === undefined) return
        this.#names.delete(replica.handle)
        this.#pipes.endLegOf(replica.handle)
      }
    }
    replica.ready.then(
      handle => {
        replica.handle = handle
        this.#names.set(handle, produced.handle)
      },
      () => produced.replicas.delete(part)
    )
    return replica
  }

  /** Where the Producer already is on the same host: between hosts it crosses once. */
  #gateway(produced: Produced, part: RouterPart): { part: RouterPart; replica: Replica } | undefined {
    const node = nodeOf(part.handle)
    if (nodeOf(produced.at.part.handle) === node) return undefined
    for (const [other, replica] of produced.replicas) {
      if (nodeOf(other.handle) !== node) continue
      return { part: other, replica: this.hold(produced, other) ?? replica }
    }
    return undefined
  }

  async #pipe(produced: Produced, part: RouterPart, gateway?: { part: RouterPart; replica: Replica }): Promise<Handle> {
    await gateway?.replica.ready
    const source = gateway?.part ?? produced.at.part
    const options = {
      ...(produced.isData ? { dataProducerId: produced.id } : { producerId: produced.id }),
      ...(nodeOf(source.handle) === nodeOf(part.handle) ? WITHIN_A_HOST : {})
    }
    const ends = [source, part].map(({ handle }) => ({ branch: this.#branch, router: handle }))
    try {
      const made = await this.#pipes.pipeToRouter(ends[0]!, ends[1]!, options, true) as { pipeProducer?: { $: Handle }; pipeDataProducer?: { $: Handle } }
      return (made.pipeProducer ?? made.pipeDataProducer)!.$
    } catch (error) {
      if (!(error instanceof errors.NotFoundError)) throw error
      throw new errors.NotFoundError(`${produced.isData ? 'DataProducer' : 'Producer'} with id "${produced.id}" not found`)
    }
  }
}
