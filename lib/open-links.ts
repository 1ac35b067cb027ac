// The links that a tier has open: what its close() ends.

import { ConnectionError, closeCodes } from './errors.ts'
import type { Link } from './tier.ts'

const closedError = () => new ConnectionError('the tier is closed', { closeCode: closeCodes.gone })

export class OpenLinks {
  readonly #links = new Set<Link>()
  #closed = false

  get closed() {
    return this.#closed
  }

  /** @throws ConnectionError after close() */
  check() {
    if (this.#closed) throw closedError()
  }

  /**
   * Keeps a link until it closes.
   *
   * @throws ConnectionError after close(), and closes the link, which came too late
   */
  add<L extends Link>(link: L): L {
    if (this.#closed) link.close()
    this.check()
    this.#links.add(link)
    link.once('close', () => this.#links.delete(link))
    return link
  }

  close() {
    this.#closed = true
    for (const link of this.#links) link.close(closedError())
  }
}
