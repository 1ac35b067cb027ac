// Checks the answers: one for each request whose id can be read, an error for each frame that
// cannot be read, and nothing else.

import { codes } from '../../lib/errors.ts'
import type { Frame } from '../../lib/tier.ts'
import type { Id } from '../../lib/wire.ts'

interface Answer {
  id?: unknown
  method?: unknown
  result?: unknown
  error?: { code?: unknown; message?: unknown }
}

const known: ReadonlySet<unknown> = new Set(
  Object.values(codes).filter(code => code !== codes.internal)
)

// What looks like a notification from both ends.
const CAST = /^(?:..)?\{"jsonrpc":"2\.0","method":"/s

export class Ledger {
  readonly #awaited = new Map<Id, { id: Id; count: number; frame: Frame }>()
  /** How many errors without an id of a request must come, and how many more may. */
  #unread = 0
  #casts = 0
  #problem: string | undefined

  get problem() {
    return this.#problem
  }

  get settled() {
    return !this.#awaited.size && this.#unread <= 0
  }

  /** The answers that are missing, in words. */
  get missing(): string {
    return [
      ...[...this.#awaited.values()]
        .slice(0, 5)
        .map(({ frame }) => `the answer to ${frame.toString().slice(0, 400)}`),
      ...(this.#unread > 0 ? [`${this.#unread} errors without an id`] : [])
    ].join(', ')
  }

  /** A tier does not parse a frame that nests so deep, and finds its id only at the beginning. */
  get #deepest(): Id | undefined {
    return [...this.#awaited.values()].find(({ frame }) => isDeep(frame.toString()))?.id
  }

  sent(frame: Frame) {
    const message = read(frame)
    // A proxy that does not know the object does not parse the rest of the frame.
    if (message === undefined)
      return void (CAST.test(frame.toString('latin1')) ? this.#casts++ : this.#unread++)
    const { id } = message
    // Not answered by the worker where the Producer is piped.
    if (message.method === 'Consumer.requestKeyFrame') return void this.#casts++
    if (typeof id === 'string' || Number.isFinite(id))
      this.#awaited.set(id as Id, {
        id: id as Id,
        count: (this.#awaited.get(id as Id)?.count ?? 0) + 1,
        frame
      })
    else if (id === undefined && typeof message.method === 'string') this.#casts++
    else this.#unread++
  }

  heard(answer: Answer) {
    if (answer.method !== undefined) return
    const { id, error } = answer
    if (error && (!known.has(error.code) || typeof error.message !== 'string'))
      this.#problem ??= `an error that PROTOCOL.md does not know: ${JSON.stringify(answer)}`
    if (!error && !('result' in answer))
      this.#problem ??= `an answer that is none: ${JSON.stringify(answer)}`
    const awaited = this.#awaited.get(
      (id === null && error?.code === codes.depth ? this.#deepest : id) as Id
    )
    if (awaited && --awaited.count === 0) this.#awaited.delete(awaited.id)
    if (awaited) return
    if (this.#unread > 0) this.#unread--
    else if (--this.#casts < 0)
      this.#problem ??= `an answer that nobody waits for: ${JSON.stringify(answer).slice(0, 300)}`
  }
}

function read(frame: Frame): Answer | undefined {
  try {
    const message = JSON.parse(typeof frame === 'string' ? frame : headerOf(frame)) as Answer | null
    return typeof message === 'object' && !Array.isArray(message) && message ? message : undefined
  } catch {
    return undefined
  }
}

function headerOf(frame: Buffer): string {
  const end = 2 + frame.readUInt16BE()
  if (end > frame.length) throw new RangeError('the header ends within the frame')
  return frame.toString('utf8', 2, end)
}

const MAX_DEPTH = 32

function isDeep(text: string): boolean {
  let depth = 0
  for (const character of text) {
    if (character === '[' || character === '{') depth++
    else if (character === ']' || character === '}') depth--
    if (depth > MAX_DEPTH) return true
  }
  return false
}
