// Producers that are on their way to a Router through a pipe. What uses one waits for it, so that it
// can be asked right behind what makes the Producer, and not a round trip later.

import type { ServedObject } from './served-object.ts'

type Ids = Map<unknown, Promise<unknown>>

const USES: ReadonlySet<string> = new Set(['consume', 'consumeData', 'addProducer', 'openPipe'])
const MAKES: ReadonlySet<string> = new Set(['produce', 'produceData'])

interface Options {
  id?: unknown
  producerId?: unknown
  dataProducerId?: unknown
}

export class Arriving {
  // By their Routers.
  readonly #arriving = new WeakMap<ServedObject, Ids>()

  /**
   * Makes a call, at once unless it uses a Producer that is on its way. When that does not come, and
   * there is no other one, the call fails with the same error.
   *
   * @param options of the call, which say which Producer it uses or makes
   */
  run<T>(
    member: string,
    target: ServedObject | undefined,
    options: unknown,
    call: () => Promise<T>
  ): Promise<T> {
    if (!target) return call()
    if (USES.has(member)) return this.#use(target, Object(options) as Options, call)
    if (target.kind !== 'PipeTransport' || !MAKES.has(member)) return call()
    return this.#make(target.parent!, Object(options) as Options, call)
  }

  #use<T>(
    target: ServedObject,
    { producerId, dataProducerId }: Options,
    call: () => Promise<T>
  ): Promise<T> {
    const router = target.kind === 'Router' ? target : target.parent!
    const arriving = this.#arriving.get(router)?.get(producerId ?? dataProducerId)
    if (!arriving) return call()
    return arriving.then(call, error =>
      call().catch(() => {
        throw error
      })
    )
  }

  #make<T>(router: ServedObject, { id }: Options, call: () => Promise<T>): Promise<T> {
    const made = call()
    const ids = this.#arriving.get(router) ?? new Map<unknown, Promise<unknown>>()
    if (id === undefined || ids.has(id)) return made
    this.#arriving.set(router, ids.set(id, made))
    const arrived = () => ids.delete(id)
    made.then(arrived, arrived)
    return made
  }
}
