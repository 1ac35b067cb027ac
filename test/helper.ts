// Real tiers for tests, and the end of all that they started.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import * as localMediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import type { Test } from 'uvu'
import { WebSocket } from 'ws'
import { PROTOCOL } from '../lib/hello.ts'
import { decode } from '../lib/wire.ts'
import { type RemoteMediasoup, client, connect } from '../client/index.ts'
import { type LeafOptions, leaf } from '../server/index.ts'

type Cleanup = () => unknown

const cleanups: Cleanup[] = []

/** Ends, after each test, what it started. */
export function cleanUp(test: Test) {
  test.after.each(endAll)
}

/** Ends what was started; the last first. */
export async function endAll() {
  for (let cleanup = cleanups.pop(); cleanup; cleanup = cleanups.pop()) await cleanup()
}

export function afterTest(cleanup: Cleanup) {
  cleanups.push(cleanup)
}

const mafalda = fileURLToPath(new URL('../mafalda.ts', import.meta.url))

/** `mafalda …` in a process of its own. */
export function run(args: string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [mafalda, ...args], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const lines: string[] = []
  const errors: string[] = []
  createInterface(child.stdout).on('line', line => lines.push(line))
  createInterface(child.stderr).on('line', line => errors.push(line))
  afterTest(() => end(child))
  return { child, lines, errors, exited: once(child, 'close') as Promise<[code: number | null, signal: NodeJS.Signals | null]> }
}

async function end(child: ChildProcess) {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  await once(child, 'exit')
}

/** A leaf in a process of its own. */
export async function startLeaf(args: string[] = [], env: NodeJS.ProcessEnv = {}) {
  const leaf = run(['serve', '--listen', '127.0.0.1:0', ...args], env)
  const url = await until(() => {
    if (leaf.child.exitCode !== null) throw new Error(`the leaf ended with ${leaf.child.exitCode}: ${leaf.errors.join('\n')}`)
    return leaf.lines.map(line => JSON.parse(line)).find(({ msg }) => msg === 'listening')?.url as string | undefined
  })
  return { ...leaf, url }
}

/** A client of a leaf in a process of its own. */
export async function connectLeaf(args: string[] = []) {
  const leaf = await startLeaf(args)
  const mediasoup = await connect(leaf.url)
  afterTest(() => mediasoup.close())
  return { ...leaf, mediasoup }
}

/** The mock: a client of a leaf in this process. */
export async function mock(options?: LeafOptions): Promise<RemoteMediasoup> {
  const mediasoup = await client(leaf(localMediasoup, options))
  afterTest(() => mediasoup.close())
  return mediasoup
}

/** Polls a condition until it is true, or something. */
export async function until<T>(condition: () => T | undefined | false | Promise<T | undefined | false>, seconds = 10): Promise<T> {
  const deadline = performance.now() + seconds * 1000
  for (;;) {
    const value = await condition()
    if (value) return value
    if (performance.now() > deadline) throw new Error(`this did not come true within ${seconds} s: ${condition}`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

/** A port that was free a moment ago: for a process that is started there more than once. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** What a promise is rejected with. */
export async function rejection(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise
  } catch (error) {
    return error as Error
  }
  throw new Error('this should have been rejected')
}

/** A bare WebSocket that speaks frames, and keeps what it hears. */
export async function raw(url: string) {
  const socket = new WebSocket(url, PROTOCOL)
  const heard: (Record<string, unknown> & { id?: unknown; error?: { code: number; message: string; data?: { name: string } } })[] = []
  socket.on('message', (data, isBinary) => heard.push(isBinary ? decode(data as Buffer) as object : JSON.parse(data.toString())))
  await once(socket, 'open')
  afterTest(() => socket.terminate())
  socket.on('error', () => {}) // `closed` tells.
  let id = 0
  return {
    socket,
    heard,
    closed: once(socket, 'close').then(([code, reason]) => ({ code: code as number, reason: String(reason) })),
    send: (frame: unknown) => socket.send(typeof frame === 'string' || Buffer.isBuffer(frame) ? frame : JSON.stringify(frame)),
    /** The next message after those already heard. */
    async answer(frame?: unknown) {
      const count = heard.length
      if (frame !== undefined) this.send(frame)
      return until(() => heard[count])
    },
    async call(method: string, ...params: unknown[]) {
      const own = `t${++id}`
      this.send({ jsonrpc: '2.0', id: own, method, params })
      return until(() => heard.find(message => message.id === own))
    }
  }
}

export const opus: ms.RouterRtpCodecCapability = { kind: 'audio', mimeType: 'audio/opus', clockRate: 48000, channels: 2, preferredPayloadType: 100 }
export const vp8: ms.RouterRtpCodecCapability = { kind: 'video', mimeType: 'video/VP8', clockRate: 90000, preferredPayloadType: 101 }

export const audio = (ssrc = 11111111): ms.ProducerOptions => ({
  kind: 'audio',
  rtpParameters: { codecs: [{ mimeType: 'audio/opus', payloadType: 111, clockRate: 48000, channels: 2 }], encodings: [{ ssrc }] }
})

/** An RTP packet. */
export function rtp(sequence: number, { ssrc = 11111111, payloadType = 111, payload = Buffer.from('some opus') } = {}): Buffer {
  const header = Buffer.alloc(12)
  header[0] = 0x80
  header[1] = payloadType
  header.writeUInt16BE(sequence & 0xffff, 2)
  header.writeUInt32BE(sequence * 960 >>> 0, 4)
  header.writeUInt32BE(ssrc, 8)
  return Buffer.concat([header, payload])
}

/** Whether a process is there. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
