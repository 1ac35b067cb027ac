// Requests to the application server with their answers, and its notices, over one WebSocket.

/// <reference lib="dom" />
import type { Notices, Requests } from '../room.ts'

type Request<M extends keyof Requests> = Parameters<Requests[M]>[0]
type Answer<M extends keyof Requests> = Awaited<ReturnType<Requests[M]>>
type AnswerFrame = { notice?: undefined; id: number; result?: unknown; error?: string }

/** One of the notices, with its data. */
export type Notice = { [N in keyof Notices]: { notice: N; data: Notices[N] } }[keyof Notices]

interface Listeners {
  onNotice(notice: Notice): void
  onClose(): void
}

interface Pending {
  resolve(result: unknown): void
  reject(error: Error): void
}

export class Signalling {
  readonly #socket: WebSocket
  readonly #pending = new Map<number, Pending>()
  #lastId = 0

  static open(listeners: Listeners): Promise<Signalling> {
    const socket = new WebSocket(location.href.replace(/^http/, 'ws'))
    return new Promise((resolve, reject) => {
      socket.onopen = () => resolve(new Signalling(socket, listeners))
      socket.onerror = () => reject(new Error('The server cannot be reached.'))
    })
  }

  private constructor(socket: WebSocket, { onNotice, onClose }: Listeners) {
    this.#socket = socket
    socket.onmessage = ({ data }) => {
      const frame = JSON.parse(data) as Notice | AnswerFrame
      if (frame.notice) onNotice(frame)
      else this.#settle(frame)
    }
    socket.onclose = () => {
      for (const { reject } of this.#pending.values())
        reject(new Error('The connection to the server is lost.'))
      onClose()
    }
  }

  request<M extends keyof Requests>(method: M, data: Request<M>): Promise<Answer<M>> {
    const id = ++this.#lastId
    this.#socket.send(JSON.stringify({ id, method, data }))
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve: resolve as Pending['resolve'], reject })
    })
  }

  close(): void {
    this.#socket.close()
  }

  #settle({ id, result, error }: AnswerFrame): void {
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    if (error === undefined) pending?.resolve(result)
    else pending?.reject(new Error(error))
  }
}
