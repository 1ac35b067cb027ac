// The other end of echo.ts, with the same options of `ws` as the product.

import { once } from 'node:events'
import { WebSocket } from 'ws'
import { webSocketOptions } from '../../lib/socket.ts'
import type { Frame } from '../../lib/tier.ts'
import { readTls } from '../../lib/tls.ts'
import { ask, end, startScript } from './processes.ts'

/** What goes there, and what comes back. */
export interface Exchange {
  request: Frame
  answer: Frame
}

export interface Echo {
  /** Sends the request, and resolves with its (last) answer. */
  call(): Promise<void>
  /** Sends the request. */
  send(): void
  /** Hears every answer. */
  onAnswer(listener: () => void): void
}

interface EchoOptions {
  /** Whether it asks mediasoup before it answers. */
  worker?: boolean
  /** Files of its certificate and key, and that of the authority. */
  tls?: { cert: string; key: string; ca: string }
}

/** Starts the other process; each exchange gets a connection of its own. */
export async function startEcho({ worker = false, tls }: EchoOptions = {}) {
  const child = startScript('kit/echo', [
    ...(worker ? ['--worker'] : []),
    ...(tls ? ['--cert', tls.cert, '--key', tls.key] : [])
  ])
  const url = await ask<string>(child)
  const connect = (exchange: Exchange, answers = 1) =>
    connectEcho(url, exchange, answers, readTls({ ca: tls?.ca }))
  return { connect, end: () => end(child) }
}

async function connectEcho(
  url: string,
  { request, answer }: Exchange,
  answers: number,
  tls: ReturnType<typeof readTls>
): Promise<Echo> {
  const binary = typeof answer === 'string' ? '' : '&binary'
  const socket = new WebSocket(
    `${url}?bytes=${Buffer.byteLength(answer)}&answers=${answers}${binary}`,
    { ...tls, ...webSocketOptions }
  )
  await once(socket, 'open')
  socket.setMaxListeners(0)

  const waiting: (() => void)[] = []
  let left = answers
  socket.on('message', () => {
    if (--left) return
    left = answers
    waiting.shift()?.()
  })
  return {
    call: () =>
      new Promise(resolve => {
        waiting.push(resolve)
        socket.send(request)
      }),
    send: () => socket.send(request),
    onAnswer: listener => {
      socket.on('message', listener)
    }
  }
}
