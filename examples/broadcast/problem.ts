// What a request is refused with: a status, and a problem document that says why (RFC 9457).

import { STATUS_CODES, type OutgoingHttpHeaders } from 'node:http'

export class Problem extends Error {
  override readonly name = 'Problem'
  readonly status: number
  readonly headers: OutgoingHttpHeaders

  constructor(status: number, detail: string, headers: OutgoingHttpHeaders = {}) {
    super(detail)
    this.status = status
    this.headers = headers
  }

  /** The body of the response, as application/problem+json. */
  toJSON() {
    const { status, message: detail } = this
    return { type: 'about:blank', title: STATUS_CODES[status], status, detail }
  }
}
