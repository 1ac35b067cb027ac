// What of a session's frames goes on to the tier: what its token allows.

import { AccessError, type ProtocolError, codes, describeError } from '../lib/errors.ts'
import { type Head, canonical, headOf } from '../lib/head.ts'
import { Layer } from '../lib/layer.ts'
import { scan } from '../lib/scan.ts'
import { scopeOf } from '../lib/scopes.ts'
import type { Frame, Link } from '../lib/tier.ts'
import { encodeFailure } from '../lib/wire.ts'
import type { Grant } from './tokens.ts'

export class Guard extends Layer {
  readonly #grant: () => Grant | undefined

  /** @param grant what the session may do now; undefined where there are no tokens */
  constructor(below: Link, grant: () => Grant | undefined = () => undefined) {
    super(below)
    this.#grant = grant
  }

  protected override receive(frame: Frame) {
    let head = headOf(frame)
    try {
      // Whoever reads the frame after us must not read another method than we do: of two keys, JSON.parse takes the last.
      if (head?.method === undefined || !scan(frame).plain) ({ frame, head } = canonical(frame))
      const grant = this.#grant()
      if (grant && head.method !== undefined) checkAccess(grant, head as Head & { method: string })
    } catch (error) {
      return this.below.send(encodeFailure(head?.id ?? (error as ProtocolError).id ?? null, describeError(error)))
    }
    this.emit('frame', frame)
  }
}

function checkAccess({ scopes, expires }: Grant, { id, method }: Head & { method: string }) {
  const scope = scopeOf(method)
  if (!scope) return
  if (!scopes.has(scope)) throw new AccessError(codes.forbidden, `${method} needs the scope ${scope}, and the token has ${[...scopes].join(', ')}`)
  // What nobody waits for goes on in the grace: the client may have closed an object, and believes that it is.
  if (id !== undefined && Date.now() > expires) throw new AccessError(codes.unauthenticated, `the token has expired: renew it with tier.authenticate before ${method}`)
}
