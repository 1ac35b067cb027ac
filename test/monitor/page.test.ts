// The monitor's page in a real browser, on a tree of three hosts in which RTP flows.

/// <reference lib="dom" />
import { createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import * as localMediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import { type Browser, type Page, chromium } from 'playwright-core'
import { pino } from 'pino'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { findChromium } from '../../build/chromium.mjs'
import { type RemoteMediasoup, connect, remote } from '../../client/index.ts'
import { type Relay, startRelay } from '../../conformance/relay.ts'
import { bits } from '../../monitor/format.ts'
import type { Tier } from '../../lib/index.ts'
import { horizontal } from '../../proxy/index.ts'
import { type LeafTier, type Server, leaf, serve } from '../../server/index.ts'
import { audio, opus, rtp, until } from '../helper.ts'
import { AUDIENCE, secretIssuer } from '../tokens.ts'

const logger = pino({ level: 'silent' })
const PACKET_MS = 20
const listenInfo: ms.TransportListenInfo = { protocol: 'udp', ip: '127.0.0.1' }

const ends: (() => unknown)[] = []
let browser: Browser
let hosts: { tier: LeafTier; server: Server }[]
/** In front of the third host, and of the tree. */
let [hostLink, pageLink]: Relay[] = []
let root: Tier
let mediasoup: RemoteMediasoup
let page: Page

test.before(async () => {
  browser = await chromium.launch({ executablePath: await findChromium(), args: ['--no-sandbox'] })
  ends.push(() => browser.close())
  hosts = await Promise.all(
    [0, 1, 2].map(async () => {
      const tier = leaf(localMediasoup)
      return { tier, server: await serve(tier, { logger }) }
    })
  )
  hostLink = await startRelay(hosts[2]!.server.url)
  const urls = [hosts[0]!.server.url, hosts[1]!.server.url, hostLink.url]
  const all = horizontal(
    urls.map(url => remote(url, { silence: 500 })),
    { policy: 'scatter' }
  )
  root = all
  const server = await serve(all, { monitor: true, logger })
  pageLink = await startRelay(server.url)
  ends.push(
    () => Promise.all(hosts.map(host => host.server.close().then(() => host.tier.close()))),
    () => hostLink!.close(),
    () => all.close(),
    () => server.close(),
    () => pageLink!.close()
  )
  await until(() => [...all].length === 3)
  mediasoup = await connect(server.url)
  ends.push(() => mediasoup.close())
  page = await openPage(new URL('/monitor/', pageLink.url.replace('ws:', 'http:')).href)
})

test.after(async () => {
  for (const end of ends.reverse()) await end()
})

/** What the browser complained about: of the Content-Security-Policy, too. */
const complaints: string[] = []
const hostsAsked = new Set<string>()

async function openPage(url: string): Promise<Page> {
  const opened = await browser.newPage()
  opened.on('pageerror', error => complaints.push(String(error)))
  opened.on('console', message => {
    if (message.type() === 'error') complaints.push(message.text())
  })
  opened.on('request', request => hostsAsked.add(new URL(request.url()).origin))
  await opened.goto(url)
  return opened
}

/** A Router on each host; the RTP of one is heard on the others, through pipes. */
async function openRoom() {
  const workers: ms.Worker[] = []
  for (let i = 0; i < 3; i++) workers.push(await mediasoup.createWorker())
  const routers = await Promise.all(
    workers.map(worker => worker.createRouter({ mediaCodecs: [opus] }))
  )
  const [router] = routers as [ms.Router]
  const source = await router.createPlainTransport({ listenInfo, comedia: true })
  const producer = await source.produce(audio())
  sendRtp(source.tuple.localPort)
  for (const other of routers.slice(1)) {
    await router.pipeToRouter({ producerId: producer.id, router: other })
    const sink = await other.createPlainTransport({ listenInfo, comedia: true })
    const { rtpCapabilities } = other
    await sink.consume({ producerId: producer.id, rtpCapabilities })
  }
  const nodes = await Promise.all(workers.map(each => mediasoup.connection.locate(each)))
  return { workers, routers, producer, nodes }
}

function sendRtp(port: number) {
  const socket = createSocket('udp4')
  let sequence = 0
  const payload = Buffer.alloc(160)
  const timer = setInterval(
    () => socket.send(rtp(sequence++, { payload }), port, '127.0.0.1'),
    PACKET_MS
  )
  ends.push(() => {
    clearInterval(timer)
    socket.close()
  })
}

const timeline = () => page.getByRole('region', { name: 'Time line' })
const row = (name: string | RegExp) => page.getByRole('row', { name })

async function choose(tab: string) {
  await page.getByRole('tab', { name: tab }).click()
}

/** The text of a cell, by the heading of its column. */
async function cell(line: ReturnType<typeof row>, heading: string): Promise<string> {
  const headings = await page.getByRole('columnheader').allTextContents()
  const at = headings.findIndex(text => text.replace(/ [↓↑]$/, '') === heading)
  assert.ok(at >= 0, `${heading} is none of ${headings.join()}`)
  return ((await line.getByRole('cell').nth(at).textContent()) ?? '').trim()
}

let room: Awaited<ReturnType<typeof openRoom>>

test('the page shows each host, Worker, Router and pipe, with the numbers that mediasoup tells', async () => {
  room = await openRoom()
  const { workers, routers, producer, nodes } = room
  await page.getByText('Live').waitFor()
  await choose('Hosts')
  for (const { server } of [hosts[0]!, hosts[1]!]) await row(new URL(server.url).host).waitFor()
  await choose('Workers')
  for (const { pid } of nodes) await row(String(pid)).waitFor()
  assert.is(new Set(nodes.map(({ node }) => node)).size, workers.length, 'one on each host')
  await choose('Pipes')
  await until(async () => (await page.getByRole('row').count()) === 1 + 2)

  await choose('Rooms')
  const [router] = routers as [ms.Router]
  const line = row(String(nodes[0]!.pid))
  await line.waitFor()
  const dump = await router.dump()
  const told = async () => [
    await cell(line, 'Transports'),
    await cell(line, 'Producers'),
    await cell(line, 'Consumers')
  ]
  const { transportIds, mapProducerIdConsumerIds: consumers } = dump
  const dumped = [
    transportIds.length,
    consumers.length,
    consumers.reduce((sum, { values }) => sum + values.length, 0)
  ]
  await until(async () => String(await told()) === String(dumped))

  await line.getByRole('button').click()
  await choose('Producers')
  const stream = page.getByRole('row', { name: /opus/ }).first()
  await stream.waitFor()
  await until(async () => {
    const [stats] = await producer.getStats()
    return stats!.bitrate > 0 && (await shownBitrates()).includes(bits(stats!.bitrate))
  })

  async function shownBitrates(): Promise<string[]> {
    const lines = await page.getByRole('row', { name: /opus/ }).all()
    return Promise.all(lines.map(each => cell(each, 'Bitrate')))
  }
})

test('the room of a Router is all of its Routers, and the pipes between them', async () => {
  await page.getByText('3 Routers of the room').waitFor()
  await page.getByRole('img', { name: '2 connections by pipes' }).waitFor()
})

test('a Worker that dies, a host that drains and one whose link is cut are on the page', async () => {
  await page.getByRole('link', { name: /the whole tree/ }).click()
  await choose('Hosts')
  const { pid, node } = room.nodes[0]!
  process.kill(pid, 'SIGKILL')
  await timeline()
    .getByText(new RegExp(`^Worker ${pid} of .* has died$`))
    .waitFor()

  const drained = hosts.find(({ tier }) => tier.node !== node && tier !== hosts[2]!.tier)!
  const { host } = new URL(drained.server.url)
  drained.tier.drain.start({})
  await row(`${host} draining`).waitFor()
  await timeline().getByText(`Host ${host} drains`).waitFor()
  drained.tier.drain.cancel()
  await row(`${host} up`).waitFor()

  const cut = new URL(hostLink!.url).host
  hostLink!.freeze()
  hostLink!.breakAll()
  await row(`${cut} lost`).waitFor()
  await page.getByRole('region', { name: 'Warnings' }).getByText('Cannot be reached').waitFor()
  hostLink!.thaw()
  await row(`${cut} up`).waitFor()
  await timeline().getByText(`Host ${cut} is up`).waitFor()
})

test('the page says that it has lost the tier, connects again by itself, and knows what is new', async () => {
  pageLink!.freeze()
  pageLink!.breakAll()
  await page.getByText('There is no connection to the tier').waitFor()
  const worker = await mediasoup.createWorker()
  const { pid } = await mediasoup.connection.locate(worker)
  pageLink!.thaw()
  await page.getByText('Live').waitFor()
  await choose('Workers')
  await row(String(pid)).waitFor()
})

test('paused, it stays as it is; then it knows what has come meanwhile', async () => {
  await page.getByRole('button', { name: 'Pause' }).click()
  const worker = await mediasoup.createWorker()
  const { pid } = await mediasoup.connection.locate(worker)
  const other = await openPage(page.url())
  await other.getByRole('tab', { name: 'Workers' }).click()
  await other.getByRole('row', { name: String(pid) }).waitFor()
  await other.close()
  assert.is(await row(String(pid)).count(), 0)
  await page.getByRole('button', { name: 'Go on' }).click()
  await row(String(pid)).waitFor()
})

test('a session is closed after it was asked once more, and a tier over several hosts says what drains one', async () => {
  const application = await connect(pageLink!.url)
  ends.push(() => application.close())
  await application.createWorker()
  const ended = new Promise(resolve => application.connection.once('died', resolve))
  await choose('Sessions')
  await page.getByLabel('Filter Sessions').fill(root.node!)
  const age = page.getByRole('columnheader', { name: 'Age' }).getByRole('button')
  await age.click()
  await age.click()
  // The youngest that has something.
  await row(/ 1$/).first().getByRole('button').click()
  await page.getByRole('button', { name: 'Close the session' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Leave it' }).click()
  await page.getByRole('button', { name: 'Close the session' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Close the session' }).click()
  await ended
  await timeline()
    .getByText(/^You: closed the session/)
    .waitFor()

  await page.getByRole('link', { name: /the whole tree/ }).click()
  await choose('Hosts')
  await row(new URL(hosts[0]!.server.url).host).getByRole('button').click()
  await page.getByText(`mafalda drain ${hosts[0]!.server.url}`).waitFor()
  assert.ok(await page.getByRole('button', { name: 'Drain the host' }).isDisabled())
})

test('axe finds nothing, in light and dark, wide and slim', async () => {
  const axe = readFileSync(new URL(import.meta.resolve('axe-core/axe.min.js')), 'utf8')
  await page.getByRole('link', { name: /the whole tree/ }).click()
  await page.evaluate(axe)
  for (const [colorScheme, width] of [
    ['light', 1280],
    ['dark', 1280],
    ['light', 390]
  ] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    await page.setViewportSize({ width, height: 800 })
    const found = await page.evaluate(async () => {
      const { axe } = globalThis as unknown as { axe: typeof import('axe-core') }
      const { violations } = await axe.run()
      return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
    })
    assert.equal(found, [], colorScheme)
  }
  const isTooWide = () => document.documentElement.scrollWidth > innerWidth
  assert.not(await page.evaluate(isTooWide), 'a phone need not scroll sideways')
})

test('where tokens are needed the page asks for one, and a tier with one host drains it', async () => {
  const issuer = secretIssuer()
  const tier = leaf(localMediasoup)
  const tokens = { secret: issuer.key, audience: AUDIENCE }
  const server = await serve(tier, { tokens, monitor: true, logger })
  ends.push(() => server.close())
  const guarded = await openPage(new URL('/monitor/', server.url.replace('ws:', 'http:')).href)
  const enter = async (scope: string) => {
    await guarded.getByLabel(/A token of this tier/).fill(await issuer.issue({ scope }))
    await guarded.getByRole('button', { name: 'Look' }).click()
  }
  await enter('observe create')
  await guarded.getByText('needs the scope operate').waitFor()
  await enter('operate')
  await guarded.getByText('Live').waitFor()
  assert.not.match(guarded.url(), /ey|token/)
  await guarded.getByRole('button', { name: 'Drain the host' }).click()
  await guarded.getByRole('dialog').getByRole('button', { name: 'Drain the host' }).click()
  await until(() => tier.drain.state.draining || tier.drain.state.ended)
})

test('the page asks no other host, and complains about nothing', () => {
  const origins = [...hostsAsked].filter(origin => !/^(https?|ws):\/\/127\.0\.0\.1:/.test(origin))
  assert.equal(origins, [])
  // That a connection was cut is no complaint of ours.
  assert.equal(
    complaints.filter(text => !/WebSocket connection to .* failed/.test(text)),
    []
  )
})

test.run()
