// The webinar example is an application for plain mediasoup: it runs as it is, on plain mediasoup and
// on each sort of tree. Real RTP goes from everybody on stage to everybody who listens, and hands are
// raised over real SCTP.

import { once } from 'node:events'
import * as localMediasoup from 'mediasoup'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Tier } from '../../lib/tier.ts'
import { horizontal, vertical } from '../../proxy/index.ts'
import { leaf, serve } from '../../server/index.ts'
import { hearHands, openHand } from '../kit/hand.ts'
import { LAYERS, perform } from '../kit/performer.ts'
import { end, startNode } from '../kit/processes.ts'
import { type Member, enter } from '../kit/signalling.ts'
import { type Received, Viewer } from '../kit/viewer.ts'
import { afterTest, cleanUp, rejection, startLeaf, until } from '../helper.ts'

cleanUp(test)

const PACKETS = 3

interface Tree {
  /** Starts tiers, and answers where the application finds its mediasoup. */
  start(): Promise<string | undefined>
  stage: number
  viewers: number
  /** How often each stream has a packet: so that two cores bear it. */
  everyMs: number
}

const few = { stage: 3, viewers: 4, everyMs: 100 }
const host = () => leaf(localMediasoup)
const scatter = { policy: 'scatter', maxWorkers: 2 } as const

const trees: Record<string, Tree> = {
  'plain mediasoup': { ...few, start: async () => undefined },
  'a leaf': { ...few, start: () => serveHere(host()) },
  'a vertical tier': { ...few, start: () => serveHere(vertical(host(), scatter)) },
  'two hosts as one': { ...few, start: () => serveHere(horizontal([host(), host()])) },
  'Routers that span two hosts, with a full stage': {
    stage: 16,
    viewers: 24,
    everyMs: 500,
    start: async () => {
      const urls = await Promise.all([startLeaf(), startLeaf()])
      const args = ['--vertical', '--policy', 'scatter', '--max-workers', '2']
      return (await startLeaf([...args, ...urls.map(({ url }) => url)])).url
    }
  }
}

for (const [name, { start, stage, viewers, everyMs }] of Object.entries(trees)) {
  test(`the webinar runs on ${name}, with no line changed`, async () => {
    const { url, hostKey } = await startApplication(await start(), stage + 1)
    const host = await take(`${url}?id=p0&key=${hostKey}`)
    const guests = names('p', stage).slice(1)
    const performers = [host, ...(await Promise.all(guests.map(id => take(`${url}?id=${id}`))))]
    await Promise.all(guests.map(seat => host.ask('promote', { seat })))
    await Promise.all(performers.map((member, i) => performAs(member, `p${i}`, everyMs)))

    const audience = await Promise.all(names('v', viewers).map(id => view(`${url}?id=${id}`)))
    await everyoneReceives(audience, names('p', stage))
    for (const { streams } of audience)
      assert.ok(streams.every(({ kind, mark }) => kind === 'audio' || mark?.layer === '0'))

    await wideTilesGetTheBestLayer(audience[0]!)

    const guest = audience[1]!
    await raiseHand(host, guest.member, 'v1')
    await rejection(guest.member.ask('promote', { seat: 'v1' }))
    await host.ask('promote', { seat: 'v1' })
    await guest.member.hears('promoted')
    await performAs(guest.member, 'v1', everyMs)
    const others = audience.filter(viewer => viewer !== guest)
    await everyoneReceives(others, ['v1'])

    await host.ask('demote', { seat: 'v1' })
    await until(() => others.every(({ streams }) => streams.length === 2 * stage))
  })
}

const names = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`)

/** Its process is this one: what starts is quick, and the application is in another one. */
async function serveHere(tier: Tier): Promise<string> {
  const server = await serve(tier, { port: 0 })
  afterTest(() => server.close())
  return server.url
}

async function startApplication(mafalda: string | undefined, stage: number) {
  const register = mafalda ? ['--import', 'mafalda/register'] : []
  const { child, output } = startNode([...register, 'examples/webinar/server.ts'], {
    env: {
      ...process.env,
      ...(mafalda ? { MAFALDA_URL: mafalda } : {}),
      PORT: '0',
      STAGE: String(stage)
    },
    stderr: 'inherit'
  })
  afterTest(() => end(child, 'SIGTERM'))
  const [line] = await once(output, 'line')
  const { listening, hostKey } = JSON.parse(line)
  return { url: `ws://127.0.0.1:${listening}/webinar`, hostKey }
}

async function take(url: string): Promise<Member> {
  const member = await enter(url)
  afterTest(() => member.socket.terminate())
  return member
}

async function performAs(member: Member, name: string, everyMs: number) {
  const stop = await perform(member, name, everyMs)
  afterTest(stop)
}

/** Sees nothing before it asks for it, and hears already. */
async function view(url: string): Promise<Viewer> {
  const viewer = new Viewer(await enter(url))
  afterTest(() => viewer.close())
  const streams = await viewer.watch()
  const [audios, videos] = [ofKind(streams, 'audio'), ofKind(streams, 'video')]
  await viewer.resume(audios)
  await until(() => audios.every(({ packets }) => packets > 0))
  assert.ok(videos.every(({ packets }) => packets === 0))
  await viewer.resume(videos)
  return viewer
}

const ofKind = (streams: Received[], kind: string) => streams.filter(stream => stream.kind === kind)

/** Each hears and sees each of them, and takes nobody for another one. */
async function everyoneReceives(audience: Viewer[], seats: string[]) {
  for (const viewer of audience)
    for (const kind of ['audio', 'video'])
      for (const seat of seats)
        await until(() =>
          ofKind(viewer.streams, kind).some(
            stream => stream.seat === seat && stream.packets >= PACKETS
          )
        )
  for (const { seat, mark } of audience.flatMap(({ streams }) => streams))
    assert.is(mark?.seat, seat)
}

async function wideTilesGetTheBestLayer(viewer: Viewer) {
  const videos = ofKind(viewer.streams, 'video')
  const have = (layer: number) =>
    until(() => videos.every(({ mark }) => mark?.layer === String(layer)))
  await viewer.tiles(1280)
  await have(LAYERS - 1)
  await viewer.tiles(160)
  await have(0)
}

async function raiseHand(host: Member, member: Member, seat: string) {
  const { heard, close } = await hearHands(host)
  afterTest(close)
  const hand = await openHand(member)
  afterTest(hand.close)
  hand.say('up')
  hand.say('down')
  hand.say('up')
  await until(() => heard.length === 3)
  assert.equal(
    heard,
    ['up', 'down', 'up'].map(hand => ({ seat, hand }))
  )
}

test.run()
