// A server that answers `tier.survey` with an invented tree, and serves the page beside it.

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'
import type { SurveyEntry, SurveyOptions } from '../../lib/survey.ts'
import { withMonitor } from '../../server/serve/monitor-page.ts'
import type { InventedTree } from './invented-tree.ts'

export interface InventedTier {
  /** Of the page. */
  url: string
  /** A second goes by. */
  tick(change?: { gone?: string[]; changed?: SurveyEntry[] }): void
  close(): Promise<void>
}

export async function serveInvented(tree: InventedTree): Promise<InventedTier> {
  const http = createServer(withMonitor((_request, response) => response.writeHead(404).end()))
  const sockets = new WebSocketServer({ server: http, handleProtocols: () => 'mafalda.v1' })
  const viewers = new Map<WebSocket, SurveyOptions>()
  let now = Date.now()
  sockets.on('connection', socket => {
    socket.on('close', () => viewers.delete(socket))
    socket.on('message', data => {
      const { id, method, params } = JSON.parse(String(data)) as {
        id: number
        method: string
        params: [SurveyOptions]
      }
      socket.send(JSON.stringify({ jsonrpc: '2.0', id, result: answer(method, params[0], socket) }))
    })
  })

  function answer(method: string, options: SurveyOptions, socket: WebSocket): unknown {
    if (method === 'tier.load') return (tree.survey({})[0] as { load: object }).load
    if (method !== 'tier.survey') return {}
    viewers.set(socket, options)
    return { at: now, entries: tree.survey(options) }
  }

  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/monitor/`,
    tick({ gone = [], changed = [] } = {}) {
      now += 1_000
      const moved = tree.tick(changed)
      for (const [socket, options] of viewers) {
        const seen = new Set(tree.survey(options).map(({ id }) => id))
        const told = moved.filter(
          ({ id }) => seen.has(id) || changed.some(entry => entry.id === id)
        )
        socket.send(
          JSON.stringify({
            ...{ jsonrpc: '2.0', method: 'tier.survey' },
            params: [{ at: now, changed: told, gone }]
          })
        )
      }
    },
    async close() {
      for (const socket of sockets.clients) socket.terminate()
      http.close()
      await once(http, 'close')
    }
  }
}
