// Real tiers for tests, and the end of all that they started.

import { once } from 'node:events'
import { createServer } from 'node:net'
import * as localMediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import type { Test } from 'uvu'
import type { ClientOptions } from 'ws'
import { type RemoteMediasoup, client, connect } from '../client/index.ts'
import { type LeafOptions, leaf } from '../server/index.ts'
import { end, exitOnSignals, serveArgs, startMafalda, urlOf } from './kit/processes.ts'
import { type Raw, openRaw } from './kit/raw.ts'
import { until } from './kit/until.ts'

export { isAlive } from './kit/processes.ts'
export { rtp } from './kit/rtp.ts'
export { slowness, until } from './kit/until.ts'

exitOnSignals()

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

/** `mafalda …` in a process of its own. */
export function run(args: string[], env: NodeJS.ProcessEnv = {}) {
  const started = startMafalda(args, { env: { ...process.env, ...env } })
  afterTest(() => end(started.child, 'SIGTERM'))
  return started
}

/** A leaf in a process of its own. */
export async function startLeaf(args: string[] = [], env: NodeJS.ProcessEnv = {}) {
  const leaf = run(serveArgs(args), env)
  return { ...leaf, url: await urlOf(leaf) }
}

/** A client of a leaf in a process of its own. */
export async function connectLeaf(args: string[] = []) {
  const leaf = await startLeaf(args)
  const mediasoup = await connect(leaf.url)
  afterTest(() => mediasoup.close())
  return { ...leaf, mediasoup }
}

/**
 * A Worker on another host than one that there is. By their loads, one host may get both, on a
 * machine that is busy with something else.
 */
export function createElsewhere({ createWorker, connection }: RemoteMediasoup, one: ms.Worker) {
  return until(async () => {
    const worker = await createWorker()
    const [here, there] = await Promise.all([one, worker].map(each => connection.locate(each)))
    if (here!.node !== there!.node) return worker
    worker.close()
    return undefined
  })
}

/** The mock: a client of a leaf in this process. */
export async function mock(options?: LeafOptions): Promise<RemoteMediasoup> {
  const mediasoup = await client(leaf(localMediasoup, options))
  afterTest(() => mediasoup.close())
  return mediasoup
}

// Above those that the system and mediasoup choose by themselves.
const PORTS = { first: 61_000, last: 65_535 }

/** A port that is free, for a process that is started there more than once. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = PORTS.first + Math.floor(Math.random() * (PORTS.last - PORTS.first))
    const server = createServer().listen(port, '127.0.0.1')
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false
    )
    if (!isFree) continue
    server.close()
    await once(server, 'close')
    return port
  }
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
export async function raw(url: string, options?: ClientOptions): Promise<Raw> {
  const speaker = await openRaw(url, options)
  afterTest(() => speaker.socket.terminate())
  return speaker
}

export const opus: ms.RouterRtpCodecCapability = {
  kind: 'audio',
  mimeType: 'audio/opus',
  clockRate: 48000,
  channels: 2,
  preferredPayloadType: 100
}
export const vp8: ms.RouterRtpCodecCapability = {
  kind: 'video',
  mimeType: 'video/VP8',
  clockRate: 90000,
  preferredPayloadType: 101
}

export const audio = (ssrc = 11111111): ms.ProducerOptions => ({
  kind: 'audio',
  rtpParameters: {
    codecs: [{ mimeType: 'audio/opus', payloadType: 111, clockRate: 48000, channels: 2 }],
    encodings: [{ ssrc }]
  }
})
