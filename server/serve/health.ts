// A listener of its own for /healthz and /readyz: who reaches it reaches no session, and needs no
// certificate.

import { type RequestListener, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface HealthAddress {
  /** Default 127.0.0.1. */
  host?: string
  /** 0: the system chooses. */
  port: number
}

const PATHS: ReadonlySet<unknown> = new Set(['/healthz', '/readyz'])
// Those of probes, and nothing else.
const MAX_CONNECTIONS = 100

export interface HealthListener {
  /** `http://host:port` */
  url: string
  close(): Promise<void>
}

/** @param answer answers what is asked for */
export async function listenForHealth(
  { host = '127.0.0.1', port }: HealthAddress,
  answer: RequestListener
): Promise<HealthListener> {
  const http = createServer((request, response) =>
    PATHS.has(request.url)
      ? answer(request, response)
      : response.writeHead(404).end('here are /healthz and /readyz\n')
  )
  http.maxConnections = MAX_CONNECTIONS
  await new Promise<void>((resolve, reject) => {
    http.once('error', cause =>
      reject(new Error(`the listener for health cannot listen: ${cause.message}`, { cause }))
    )
    http.listen(port, host, resolve)
  })
  const { address, port: chosen, family } = http.address() as AddressInfo
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${chosen}`,
    async close() {
      const closed = new Promise(resolve => http.close(resolve))
      http.closeAllConnections()
      await closed
    }
  }
}
