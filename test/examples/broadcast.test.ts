// The broadcast example is an application for plain mediasoup: it runs as it is, on plain mediasoup
// and where its Routers span two hosts, and Chromium publishes and watches.

/// <reference lib="dom" />
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Page } from 'playwright-core'
import { cleanUp, until } from '../helper.ts'
import { type Browser, openBrowser } from './helper.ts'
import { offerOf, PAYLOAD_TYPES } from './offers.ts'
import { startApplication, trees } from './trees.ts'
import { post, sessionOf } from './whip.ts'

const FRAMES = 5

const start = async (mafalda?: string, env: NodeJS.ProcessEnv = {}) =>
  `http://127.0.0.1:${await startApplication('examples/broadcast/server.ts', mafalda, env)}`

let browser: Browser

cleanUp(test)
test.before(async () => {
  browser = await openBrowser()
})
test.after.each(() => browser.closePages())
test.after(() => browser.close())

for (const name of ['plain mediasoup', 'Routers that span two hosts']) {
  test(`browsers publish and watch on ${name}, with no line changed`, async () => {
    // A Router for each session, so that all media crosses Routers.
    const url = await start(await trees[name]!(), { ROUTER_SIZE: '1' })
    const [publisher, viewer] = await Promise.all([open(url), open(url)])
    await publisher.click('text=Publish')
    await connected(publisher)
    await watches(viewer)

    // Another client has other payload types: those of its offer are those of its answer.
    const watching = await post(url, 'whep/demo', offerOf({ direction: 'recvonly' }))
    assert.is(watching.status, 201)
    assert.equal(payloadTypesIn(await watching.text()), Object.values(PAYLOAD_TYPES))

    await publisher.click('text=Stop')
    await until(async () => (await fetch(sessionOf(watching))).status === 404)
    await viewer.waitForFunction(() => !isConnected())
  })
}

test('who watches has the larger of the sizes that are published', async () => {
  const url = await start()
  const [publisher, viewer] = [await open(url, useLargePicture), await open(url)]
  await publisher.click('text=Publish')
  await connected(publisher)
  await watches(viewer)
  const sizes = await publisher.evaluate(() => statsOf('outbound-rtp', 'rid'))
  assert.equal(sizes.sort(), ['large', 'small'])
  await until(() =>
    viewer.evaluate(async () => (await statsOf('inbound-rtp', 'frameWidth')).includes(640))
  )
})

test('who watches with other payload types than the publisher decodes as well', async () => {
  const url = await start()
  const [publisher, viewer] = [await open(url), await open(url, renumber)]
  await publisher.click('text=Publish')
  await connected(publisher)
  await watches(viewer)
  const numbers = await viewer.evaluate(() => statsOf('codec', 'payloadType'))
  assert.ok(numbers.includes(102), `got ${numbers}`)
})

test('media goes on after a restart of ICE', async () => {
  const url = await start()
  const [publisher, viewer, other] = await Promise.all([open(url), open(url), open(url)])
  await publisher.click('text=Publish')
  await connected(publisher)
  const created = viewer.waitForResponse(response => response.request().method() === 'POST')
  await watches(viewer)
  const { location } = (await created).headers()
  const pairOf = () => viewer.evaluate(() => statsOf('transport', 'selectedCandidatePairId'))
  const before = await pairOf()
  assert.is(await viewer.evaluate(restartIce, location!), 200)
  await until(async () => String(await pairOf()) !== String(before))
  await Promise.all([decodes(viewer), watches(other)])
})

const payloadTypesIn = (answer: string) =>
  [...answer.matchAll(/^a=rtpmap:(\d+)/gm)].map(([, number]) => Number(number))

async function open(url: string, inPage = () => {}): Promise<Page> {
  const page = await browser.newPage()
  await page.addInitScript(keepConnection)
  await page.addInitScript(inPage)
  await page.goto(url)
  return page
}

declare global {
  /** Of the page's connection: that value in each report of that type that has it. */
  var statsOf: (type: string, key: string) => Promise<unknown[]>
  var isConnected: () => boolean
  var connection: RTCPeerConnection
}

/** Runs in the page. */
function keepConnection() {
  globalThis.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(configuration?: RTCConfiguration) {
      super(configuration)
      globalThis.connection = this
    }
  }
  globalThis.statsOf = async (type, key) => {
    const reports = [...(await connection.getStats()).values()]
    return reports
      .filter(report => report.type === type && key in report)
      .map(report => report[key])
  }
  globalThis.isConnected = () => connection?.connectionState === 'connected'
}

/** Runs in the page: libwebrtc sends two sizes only of a picture that is large enough. */
function useLargePicture() {
  const { mediaDevices } = navigator
  const video = { width: 640, height: 360, frameRate: 10 }
  mediaDevices.getUserMedia = () =>
    MediaDevices.prototype.getUserMedia.call(mediaDevices, { video })
}

/** Runs in the page: its offers have other payload types for opus, VP8 and its RTX. */
function renumber() {
  const own: Record<string, string> = { 111: '106', 96: '102', 97: '105' }
  const { setLocalDescription } = RTCPeerConnection.prototype
  RTCPeerConnection.prototype.setLocalDescription = async function () {
    const offer = await this.createOffer()
    const sdp = offer.sdp!.replace(/^(m=|a=rtpmap|a=fmtp|a=rtcp-fb).*/gm, line =>
      line.replace(/\b(111|96|97)\b/g, number => own[number]!)
    )
    return Reflect.apply(setLocalDescription, this, [{ type: 'offer', sdp }])
  }
}

/** Runs in the page, as a client that follows RFC 9725: it keeps all of the answer but for ICE. */
async function restartIce(location: string): Promise<number> {
  await connection.setLocalDescription(await connection.createOffer({ iceRestart: true }))
  const credentials = /a=ice-ufrag:.*\r\na=ice-pwd:.*\r\n/
  const [fragment] = credentials.exec(connection.localDescription!.sdp)!
  const headers = { 'content-type': 'application/trickle-ice-sdpfrag', 'if-match': '*' }
  const response = await fetch(location, { method: 'PATCH', headers, body: fragment })
  const [renewed] = credentials.exec(await response.text())!
  const { sdp } = connection.currentRemoteDescription!
  const answer = sdp.replace(new RegExp(credentials, 'g'), renewed)
  await connection.setRemoteDescription({ type: 'answer', sdp: answer })
  return response.status
}

const connected = (page: Page) => page.waitForFunction(() => isConnected())

async function watches(viewer: Page) {
  await viewer.click('text=Watch')
  await connected(viewer)
  await decodes(viewer)
}

/** From now on: some pictures. */
async function decodes(viewer: Page) {
  const decoded = () =>
    viewer.evaluate(async () => Number(await statsOf('inbound-rtp', 'framesDecoded')))
  const before = await decoded()
  await until(async () => (await decoded()) >= before + FRAMES)
}

test.run()
