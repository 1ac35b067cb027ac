// /metrics over HTTP: on the port of clients for who may operate the tier, or on a listener of its
// own.

import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { type Listener, type ListenAddress, listenApart } from '../listener.ts'
import type { Reading } from './table.ts'

export const PATH = '/metrics'

/** Who may not read them: HTTP's status, and why. */
export type Refusal = [status: number, reason: string]

export interface MetricsOptions {
  /** Whether they are on the port of clients. */
  metrics?: boolean | undefined
  /** Where else they are. */
  metricsListen?: ListenAddress | undefined
  read(): Promise<Reading>
  /** Whether somebody who asks on the port of clients may read them. */
  check(request: IncomingMessage): Promise<Refusal | undefined>
}

export interface Metrics {
  /** Of the port of clients: answers what asks for metrics, and leaves all else to another. */
  on(listener: RequestListener): RequestListener
  /** Opens the listener of its own, if there is to be one. */
  listen(): Promise<Listener | undefined>
}

export async function openMetrics(options: MetricsOptions): Promise<Metrics> {
  // It is not loaded by tiers that have no metrics.
  const { metricsText, CONTENT_TYPE } = await import('./text.ts')
  const text = metricsText(options.read)
  const { metricsListen } = options
  return {
    on: listener => (request, response) =>
      options.metrics && request.url === PATH
        ? void answerClient(request, response)
        : listener(request, response),
    listen: async () =>
      metricsListen &&
      listenApart('metrics', metricsListen, [PATH], (_request, response) => void tell(response))
  }

  async function answerClient(request: IncomingMessage, response: ServerResponse) {
    const refusal = await options.check(request)
    if (!refusal) return tell(response)
    const [status, error] = refusal
    response.writeHead(status, {
      'content-type': 'application/json',
      ...(status === 401 && { 'www-authenticate': 'Bearer' })
    })
    response.end(`${JSON.stringify({ error })}\n`)
  }

  async function tell(response: ServerResponse) {
    try {
      const body = await text()
      response.writeHead(200, { 'content-type': CONTENT_TYPE }).end(body)
    } catch (error) {
      response.writeHead(500).end(`${(error as Error).message}\n`)
    }
  }
}
