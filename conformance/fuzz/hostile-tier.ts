// A hostile tier: it mostly answers as a tier does, and also sends junk.

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { version as mediasoup } from 'mediasoup'
import { type WebSocket, WebSocketServer } from 'ws'
import { PROTOCOL } from '../../lib/hello.ts'
import { type KindRow, digest, kinds, methods } from '../../lib/methods.ts'
import { version } from '../../lib/version.ts'
import { binaries, hostileValue, texts } from './hostile.ts'
import { SessionView } from './session-view.ts'
import { MARK, garble, spoil, unmark } from './mutate.ts'
import { Random } from './random.ts'

const rows = [...kinds.values()].filter(({ kind }) => kind !== 'mediasoup')
const EVENTS_PER_CALL = 4

export class HostileTier {
  readonly #server: WebSocketServer
  #random = new Random(0)
  #left = 0
  frames = 0

  static async listen() {
    const server = new WebSocketServer({
      port: 0,
      host: '127.0.0.1',
      handleProtocols: () => PROTOCOL
    })
    await once(server, 'listening')
    return new HostileTier(server)
  }

  private constructor(server: WebSocketServer) {
    this.#server = server
    server.on('connection', socket => this.#serve(socket))
  }

  get url() {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** What the next session gets. */
  prepare(seed: number, frames: number) {
    this.#random = new Random(seed)
    this.#left = frames
  }

  close() {
    for (const socket of this.#server.clients) socket.terminate()
    this.#server.close()
  }

  #serve(socket: WebSocket) {
    const random = this.#random
    const known = new SessionView()
    let waiting: string[] = []
    const end = () =>
      random.oneIn(2) ? socket.close(random.pick([1000, 1011, 1001])) : socket.terminate()
    const send = (frame: string | Buffer) => {
      if (this.#left <= 0) return
      this.frames++
      socket.send(frame)
      if (--this.#left === 0) end()
    }
    socket.on('error', () => {})
    socket.on('message', (data: Buffer, isBinary) => {
      if (isBinary) return
      const { id, method, params } = JSON.parse(data.toString()) as {
        id?: number
        method: string
        params: [unknown]
      }
      if (method === 'tier.open')
        return send(
          random.oneIn(50)
            ? `{"jsonrpc":"2.0","id":0,"result":${hostileValue(random, known)}}`
            : '{"jsonrpc":"2.0","id":0,"result":{"received":0,"grace":20}}'
        )
      if (method === 'tier.hello')
        return send(
          random.oneIn(50)
            ? `{"jsonrpc":"2.0","id":${id},"result":${hostileValue(random, known)}}`
            : JSON.stringify({ jsonrpc: '2.0', id, result: HELLO })
        )
      if (id !== undefined && !random.oneIn(30))
        waiting.push(written(answerTo(id, method, params[0], random, known), random, known))
      if (waiting.length > 3 || random.oneIn(2)) {
        for (const frame of random.oneIn(4) ? random.shuffle(waiting) : waiting)
          for (let i = random.oneIn(20) ? 2 : 1; i > 0; i--) send(frame)
        waiting = []
      }
      for (let i = 0; i < EVENTS_PER_CALL; i++)
        send(
          random.oneIn(15)
            ? random.pick<string | Buffer>(random.oneIn(2) ? texts : binaries)
            : written(eventOf(random, known), random, known)
        )
    })
    // A client that has nothing more to ask hears the rest at once.
    const timer = setInterval(() => {
      for (let i = 0; i < 50; i++) send(written(eventOf(random, known), random, known))
    }, 5)
    socket.on('close', () => clearInterval(timer))
  }
}

const HELLO = {
  protocol: PROTOCOL,
  mafalda: version,
  mediasoup,
  model: digest,
  node: 'hostile',
  workerBin: '',
  supportedRtpCapabilities: {}
}

function written(message: object, random: Random, known: SessionView): string {
  const spoilt = random.oneIn(3) ? spoil(message, random) : message
  const text = unmark(JSON.stringify(spoilt), random, known)
  return random.oneIn(20) ? (garble(text, random) as string) : text
}

function answerTo(
  id: number,
  method: string,
  target: unknown,
  random: Random,
  known: SessionView
): object {
  const row = methods.get(method)
  if (random.oneIn(10))
    return {
      jsonrpc: '2.0',
      id: random.oneIn(5) ? MARK : id,
      error: random.oneIn(2) ? { code: -32000, message: 'no', data: { name: 'TypeError' } } : MARK
    }
  if (row?.role === 'create') {
    const kind = random.oneIn(10)
      ? random.pick(rows)
      : (rows.find(({ kind }) =>
          kind.toLowerCase().endsWith(row.member.toLowerCase().replace(/^create|d?uced?|sume/g, ''))
        ) ?? random.pick(rows))
    return {
      jsonrpc: '2.0',
      id,
      result: announcement(kind, row.kind === 'mediasoup' ? undefined : target, random, known)
    }
  }
  return { jsonrpc: '2.0', id, result: row?.role === 'call' ? { value: MARK, live: MARK } : MARK }
}

function announcement(row: KindRow, of: unknown, random: Random, known: SessionView) {
  const handle =
    random.oneIn(20) && known.objects.length
      ? random.pick(known.objects).handle
      : `hostile/${known.nextSerial()}`
  const members = Object.fromEntries(
    [...row.fixed, ...row.live].map(name => [
      name,
      name === 'id' ? handle : random.oneIn(2) ? MARK : undefined
    ])
  )
  known.hear({ result: { $: handle, kind: row.kind, of, members } })
  return {
    $: handle,
    kind: row.kind,
    of,
    appData: random.oneIn(4) ? MARK : { token: known.nextSerial() },
    members
  }
}

function eventOf(random: Random, known: SessionView): object {
  const object = known.objects.length ? random.pick(known.objects) : undefined
  const row = (!random.oneIn(10) && object && kinds.get(object.kind)) || random.pick(rows)
  // Few that end it.
  const names = [
    ...row.events.keys(),
    ...(random.oneIn(20) ? ['close', 'routerclose', 'live'] : ['live'])
  ].filter(name => random.oneIn(20) || !/close|died/.test(name))
  const event = names.length ? random.pick(names) : 'live'
  const argument =
    row.events.get(event) === 'new' || random.oneIn(10)
      ? announcement(random.pick(rows), object?.handle, random, known)
      : MARK
  return {
    jsonrpc: '2.0',
    method: `${row.kind}.${event}`,
    params: [object?.handle ?? MARK, random.oneIn(2) ? MARK : null, argument]
  }
}
