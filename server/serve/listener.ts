// A listener of its own for some paths: who reaches it reaches no session, and needs no certificate.

import { type RequestListener, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface ListenAddress {
  /** Default 127.0.0.1. */
  host?: string
  /** 0: the system chooses. */
  port: number
}

export interface Listener {
  /** `http://host:port` */
  url: string
  close(): Promise<void>
}

// Those of probes and scrapers, and nothing else.
const MAX_CONNECTIONS = 100

/**
 * @param what it is for, in an error
 * @param answer answers what is asked for at one of the paths
 */
export async function listenApart(
  what: string,
  { host = '127.0.0.1', port }: ListenAddress,
  paths: readonly string[],
  answer: RequestListener
): Promise<Listener> {
  const http = createServer((request, response) =>
    paths.includes(request.url!)
      ? answer(request, response)
      : response.writeHead(404).end(`here are ${paths.join(' and ')}\n`)
  )
  http.maxConnections = MAX_CONNECTIONS
  await new Promise<void>((resolve, reject) => {
    http.once('error', cause =>
      reject(new Error(`the listener for ${what} cannot listen: ${cause.message}`, { cause }))
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
