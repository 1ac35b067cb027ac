// HTTP requests that are answered on the port of clients, beside sessions: what such a route is, and
// how it fails. Whoever serves a tier has a table of them.

import { STATUS_CODES } from 'node:http'
import type { Schema, Scope } from './tier-model.ts'

export interface Asked {
  /** What the path has in the place of `{name}`, decoded. */
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  /** The JSON of the request; undefined when it has none. */
  readonly body: unknown
  /** Whose token or certificate it is; undefined where nobody is asked. */
  readonly subject: string | undefined
  /** Whether they may operate the tier, and so what is not theirs. */
  readonly operates: boolean
}

export interface Answered {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** JSON; without it, there is none. */
  readonly body?: object
}

export interface Route {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  /** Like `/rooms/{id}`. */
  readonly path: string
  /** What a token must allow. Default: nothing. */
  readonly scope?: Scope
  readonly summary: string
  readonly query?: Readonly<Record<string, Schema>>
  /** What the request may have. */
  readonly body?: Schema
  /** By status, what is answered, and when. */
  readonly answers: Readonly<Record<number, { description: string; schema?: Schema }>>
  /** May throw a Problem. */
  answer(asked: Asked): Answered | Promise<Answered>
}

/** Why a request is not done: it is answered as RFC 9457 says. */
export class Problem extends Error {
  override name = 'Problem'
  readonly status: number
  readonly headers: Readonly<Record<string, string>>

  /** @param detail a sentence that says what was wrong, and what is allowed */
  constructor(status: number, detail: string, headers: Readonly<Record<string, string>> = {}) {
    super(detail)
    this.status = status
    this.headers = headers
  }

  toJSON() {
    const { status, message: detail } = this
    return { type: 'about:blank', title: STATUS_CODES[status], status, detail }
  }
}
