// Who speaks to an example by its signalling: requests over a WebSocket, and events.

import { once } from 'node:events'
import { WebSocket } from 'ws'
import { until } from './until.ts'

export type Answer = Record<string, unknown>

export interface Member {
  socket: WebSocket
  ask(method: string, data?: object): Promise<Answer>
  /** The next event of that name that was not asked for yet. */
  hears(event: string): Promise<Answer>
  /** Takes each event of that name from now on. */
  on(event: string, listener: (data: Answer) => void): void
}

export async function enter(url: string): Promise<Member> {
  const socket = new WebSocket(url)
  const heard: { event: string; data: Answer }[] = []
  const listeners = new Map<string, (data: Answer) => void>()
  const pending = new Map<number, PromiseWithResolvers<Answer>>()
  let requests = 0
  socket.on('message', text => {
    const { event, data, request, result, error } = JSON.parse(String(text))
    if (event && listeners.has(event)) listeners.get(event)!(data)
    else if (event) heard.push({ event, data })
    else if (error) pending.get(request)!.reject(new Error(error))
    else pending.get(request)!.resolve(result)
    if (!event) pending.delete(request)
  })
  socket.on('close', (code, reason) => {
    for (const { reject } of pending.values())
      reject(new Error(`the signalling was closed with ${code}: ${reason}`))
  })
  await once(socket, 'open')
  return {
    socket,
    ask(method, data) {
      const answer = Promise.withResolvers<Answer>()
      if (socket.readyState !== WebSocket.OPEN)
        return Promise.reject(new Error('the signalling is closed'))
      const request = ++requests
      pending.set(request, answer)
      socket.send(JSON.stringify({ request, method, data }))
      return answer.promise
    },
    hears: event =>
      until(() => {
        const i = heard.findIndex(one => one.event === event)
        return i >= 0 && heard.splice(i, 1)[0]!.data
      }),
    on: (event, listener) => void listeners.set(event, listener)
  }
}
