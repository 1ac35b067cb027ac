// A real browser for the room's tests, and the mediasoup behind the room.

/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import type { ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type * as ms from 'mediasoup/types'
import { chromium, type BrowserContext, type Page } from 'playwright-core'
import { findChromium } from '../../build/chromium.mjs'
import { connect } from '../../client/index.ts'
import { end, startTier } from '../kit/processes.ts'
import { until } from '../kit/until.ts'

const WAIT_MS = 120_000

const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
  '--autoplay-policy=no-user-gesture-required'
]

/**
 * The mediasoup that carries the room: that of two hosts as one, in three processes. Each transport
 * goes to another Worker.
 */
export async function openMediasoup() {
  const leaves = await Promise.all([start(), start()])
  // Of an aggregator that is lost, it is known after the grace period: until then another one could
  // take its place.
  const aggregator = await start([
    '--grace',
    '2000',
    '--vertical',
    '--policy',
    'scatter',
    '--max-workers',
    '3',
    ...leaves.map(({ url }) => url)
  ])
  const hosts = new Map(leaves.map((leaf, i) => [`host-${'ab'[i]}`, leaf]))
  const mediasoup = await connect(aggregator.url)
  return {
    mediasoup,
    async locate(transport: ms.WebRtcTransport) {
      const { node, pid } = await mediasoup.connection.locate(transport)
      const [host] = [...hosts].find(([, leaf]) => leaf.node === node)!
      return { host, workerPid: pid }
    },
    /** As if its machine had lost its power. */
    crash: (name: string) => (hosts.get(name) ?? aggregator).process.kill('SIGKILL'),
    close: async () => {
      mediasoup.close()
      await Promise.all([...leaves, aggregator].map(({ process }) => end(process, 'SIGTERM')))
    }
  }
}

interface Tier {
  process: ChildProcess
  url: string
  node: string
}

/** Resolves when it can be used: if it is above hosts, when all are up. */
async function start(args: string[] = []): Promise<Tier> {
  const { child, url, lines } = await startTier(args, { stderr: 'inherit' })
  const entriesOf = (message: string) =>
    lines.map(line => JSON.parse(line)).filter(({ msg }) => msg === message)
  const hosts = args.filter(arg => arg.startsWith('ws:')).length
  await until(() => entriesOf('host is up').length >= hosts)
  return { process: child, url, node: entriesOf('listening')[0].node }
}

export interface Browser {
  newPage(): Promise<Page>
  closePages(): Promise<void>
  close(): Promise<void>
}

export async function openBrowser(): Promise<Browser> {
  const profile = await mkdtemp(join(tmpdir(), 'room-test-'))
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: await findChromium(),
    headless: true,
    args: flags
  })
  context.setDefaultTimeout(WAIT_MS)
  await context.addInitScript(keepCameraSmall)
  await context.addInitScript(watchConnections)
  return {
    newPage: () => newPage(context),
    closePages: async () => {
      // The first page keeps the browser open.
      await Promise.all(
        context
          .pages()
          .slice(1)
          .map(page => page.close())
      )
    },
    close: async () => {
      await context.close()
      await rm(profile, { recursive: true, force: true })
    }
  }
}

async function newPage(context: BrowserContext): Promise<Page> {
  const page = await context.newPage()
  page.on('pageerror', error => console.error('an error in the page:', error))
  return page
}

/** Runs in the page: encoding pictures is what costs the machine most. */
function keepCameraSmall() {
  const { mediaDevices } = navigator
  const getUserMedia = mediaDevices.getUserMedia.bind(mediaDevices)
  const video = { width: { ideal: 320 }, height: { ideal: 240 }, frameRate: { ideal: 15 } }
  mediaDevices.getUserMedia = wanted => getUserMedia({ ...wanted, ...(wanted?.video && { video }) })
}

/** What the browser has decoded of one participant. */
export interface Decoded {
  frames: number
  audioEnergy: number
}

declare global {
  var decodedOf: (name: string) => Promise<Decoded>
}

/**
 * Runs in the page: asks the browser itself what comes out of its decoders for a participant's
 * tile.
 */
function watchConnections() {
  const connections: RTCPeerConnection[] = []
  globalThis.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(configuration?: RTCConfiguration) {
      super(configuration)
      connections.push(this)
    }
  }

  globalThis.decodedOf = async name => {
    const decoded = { frames: 0, audioEnergy: 0 }
    const tile = [...document.querySelectorAll('#participants li')].find(
      tile => tile.querySelector('.name')!.textContent === name
    )
    const stream = tile?.querySelector('video')!.srcObject as MediaStream | undefined
    for (const track of stream?.getTracks() ?? []) {
      const receivers = connections.flatMap(connection => connection.getReceivers())
      const stats = await receivers.find(receiver => receiver.track === track)?.getStats()
      for (const report of stats?.values() ?? []) {
        if (report.type !== 'inbound-rtp') continue
        decoded.frames += report.framesDecoded ?? 0
        decoded.audioEnergy += report.totalAudioEnergy ?? 0
      }
    }
    return decoded
  }
}
