// What went over the pipes of a leaf, and what was lost on the way to it. Pipes are asked only when
// somebody wants to know, and so many at a time that it costs little.

import type * as ms from 'mediasoup/types'
import type { PipeFigures } from '../../lib/figures.ts'
import type { ServedObject } from './served-object.ts'

// Those that were not asked have their turn the next time.
const MAX_ASKED = 256
// A Worker may be busy. Its answer counts when it comes.
const PATIENCE_MS = 500

/** What an object said when it was asked last. */
interface Last extends PipeFigures {
  /** It was asked, and has not answered yet. */
  isAsked: boolean
}

export class PipeMeter {
  // A PipeTransport, or a Producer on one. In the order in which they are asked.
  readonly #lasts = new Map<ServedObject, Last>()
  readonly #totals: PipeFigures = { bytesReceived: 0, bytesSent: 0, packetsLost: 0 }

  add(entry: ServedObject) {
    if (entry.kind === 'PipeTransport' || isPiped(entry))
      this.#lasts.set(entry, { bytesReceived: 0, bytesSent: 0, packetsLost: 0, isAsked: false })
  }

  remove(entry: ServedObject) {
    this.#lasts.delete(entry)
  }

  /** Asks the pipes, and answers what there was in all. */
  async measure(): Promise<PipeFigures> {
    const asked = [...this.#lasts].slice(0, MAX_ASKED)
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>(resolve => {
      timer = setTimeout(resolve, PATIENCE_MS)
    })
    await Promise.race([late, Promise.all(asked.map(([entry, last]) => this.#ask(entry, last)))])
    clearTimeout(timer)
    return { ...this.#totals }
  }

  async #ask(entry: ServedObject, last: Last) {
    if (last.isAsked) return
    last.isAsked = true
    this.#lasts.delete(entry)
    this.#lasts.set(entry, last)
    try {
      this.#add(last, await statsOf(entry))
    } catch {
      // It was closed in the meantime.
    } finally {
      last.isAsked = false
    }
  }

  /** What is more than before. Nothing is taken away when a pipe is closed, or begins anew. */
  #add(last: Last, now: PipeFigures) {
    for (const name of Object.keys(now) as (keyof PipeFigures)[]) {
      this.#totals[name] += Math.max(0, now[name] - last[name])
      last[name] = now[name]
    }
  }
}

const isPiped = ({ kind, parent }: ServedObject) =>
  kind === 'Producer' && parent?.kind === 'PipeTransport'

async function statsOf({ kind, object }: ServedObject): Promise<PipeFigures> {
  if (kind === 'Producer') {
    const streams = await (object as unknown as ms.Producer).getStats()
    const packetsLost = streams.reduce((sum, stream) => sum + stream.packetsLost, 0)
    return { bytesReceived: 0, bytesSent: 0, packetsLost }
  }
  const [stats] = await (object as unknown as ms.PipeTransport).getStats()
  const { bytesReceived = 0, bytesSent = 0 } = stats ?? {}
  return { bytesReceived, bytesSent, packetsLost: 0 }
}
