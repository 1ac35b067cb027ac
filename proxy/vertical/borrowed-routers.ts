// Routers of other sessions that a tier above has borrowed through a session on a vertical tier: they
// are those of the tier below, and what is asked of them passes as it is.

import type { Borrowed } from '../../lib/borrow.ts'
import type { Location } from '../../lib/hello.ts'
import type { Frame } from '../../lib/tier.ts'
import { type Handle, decode, encodeResult } from '../../lib/wire.ts'
import type { Tables } from './tables.ts'

export class BorrowedRouters {
  readonly #handles = new Set<Handle>()

  has(handle: Handle): boolean {
    return this.#handles.has(handle)
  }

  /** One more, if the answer to `tier.borrow` names one. */
  answered(method: string, answer: Frame): Frame {
    const { router } = method === 'tier.borrow' ? resultOf<Borrowed>(answer) : {}
    if (router !== undefined) this.#handles.add(router)
    return answer
  }

  /** Whether an event is about one of them. */
  happened(method: string, handle: Handle): boolean {
    return method === 'Router.close' ? this.#handles.delete(handle) : this.#handles.has(handle)
  }

  /** The answer to `tier.locate` with the client's own Router in place of its part. */
  located(answer: Frame, { routerParts }: Tables): Frame {
    const { router, ...location } = resultOf<Location>(answer)
    const part = router === undefined ? undefined : routerParts.get(router)
    if (!part) return answer
    const { id } = decode(answer) as { id: string | number }
    return encodeResult(id, { ...location, router: part.owner.handle })
  }
}

const resultOf = <T extends object>(answer: Frame) =>
  Object((decode(answer) as { result?: unknown }).result) as Partial<T>
