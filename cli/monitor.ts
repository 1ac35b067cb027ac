// `mafalda monitor`: the page on a server of its own, which relays to the tier what the page asks.

import { once } from 'node:events'
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { remote } from '../client/index.ts'
import { PROTOCOL } from '../lib/hello.ts'
import { checkProtection } from '../server/serve/exposure.ts'
import { withMonitor } from '../server/serve/monitor-page.ts'
import { refuse } from '../server/serve/upgrade-answers.ts'
import { upgradeRefusal } from '../server/serve/upgrade.ts'
import { type AccessOptions, accessOf } from './access.ts'
import type { Address } from './address.ts'
import { relay } from './monitor-relay.ts'

interface Options extends AccessOptions {
  listen: Address
  allowOrigin: string[]
  insecure?: boolean
}

// What the page asks is small.
const MAX_PAYLOAD = 64 * 1024

export async function monitor(urls: string[], options: Options) {
  const { listen, allowOrigin: allowOrigins, insecure = false } = options
  checkListen(listen, insecure)
  const tier = remote(urls, accessOf(options))
  const sockets = new WebSocketServer({
    noServer: true,
    path: '/',
    maxPayload: MAX_PAYLOAD,
    handleProtocols: () => PROTOCOL
  })
  const http = createServer(withMonitor(notFound))
  http.on('upgrade', onUpgrade)
  http.listen(listen.port, listen.host)
  await once(http, 'listening')
  console.log(`The monitor of ${urls.join(', ')} is at ${urlOf(http.address() as AddressInfo)}`)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, close)

  function onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer) {
    // A name may be anybody's: see own-origin.ts.
    const ownPages = { isProven: false }
    const wrong = upgradeRefusal(request, { sockets, allowOrigins, ownPages })
    if (wrong) return refuse(socket, ...wrong)
    sockets.handleUpgrade(request, socket, head, webSocket => void relay(webSocket, tier))
  }

  function close() {
    for (const socket of sockets.clients) socket.terminate()
    http.close()
    http.closeAllConnections()
    tier.close()
  }
}

function checkListen({ host }: Address, insecure: boolean) {
  try {
    checkProtection({ host, authenticates: false, insecure })
  } catch (cause) {
    throw new Error(
      `whoever reaches ${host} could operate the tier: listen on 127.0.0.1, or say --insecure`,
      { cause }
    )
  }
}

function notFound(_request: IncomingMessage, response: ServerResponse) {
  response.writeHead(404).end('the page is at /monitor/\n')
}

const urlOf = ({ address, port, family }: AddressInfo) =>
  `http://${family === 'IPv6' ? `[${address}]` : address}:${port}/monitor/`
