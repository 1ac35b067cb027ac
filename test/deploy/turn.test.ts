// A real coturn beside a host, with the configuration that we ship: two browsers that may use nothing
// else meet through it, and nobody else gets anywhere.

/// <reference lib="dom" />
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type * as ms from 'mediasoup/types'
import type { Page } from 'playwright-core'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { IceServer } from '../../client/index.ts'
import { afterTest, cleanUp, connectLeaf, freePort, until } from '../helper.ts'
import { openBrowser } from '../examples/helper.ts'
import { ownAddress, startCoturn, tryTurn } from '../kit/coturn.ts'
import type {} from './turn-page.ts'

const SECRET = 'a secret of this test'
const mediaCodecs: ms.RouterRtpCodecCapability[] = [
  { kind: 'video', mimeType: 'video/VP8', clockRate: 90_000 }
]

const address = ownAddress()
const here = address ? test : test.skip // coturn relays to no loopback address.

cleanUp(test)

here('two browsers that may only be relayed see each other', async () => {
  const { url, router, mediasoup } = await startHost()
  const browser = await openBrowser()
  afterTest(() => browser.close())
  const pages = await Promise.all([0, 1].map(() => enter(router, iceServersOf)))
  const [one, other] = pages as [Page, Page]
  const [first, second] = [await one.evaluate(() => send()), await other.evaluate(() => send())]
  await one.evaluate(id => receive(id), second)
  await other.evaluate(id => receive(id), first)
  for (const page of pages) {
    await until(() => page.evaluate(async () => (await framesDecoded()) >= 5))
    assert.equal(await page.evaluate(() => candidateTypes()), ['relay', 'relay'])
  }

  async function iceServersOf(transport: ms.WebRtcTransport): Promise<IceServer[]> {
    const servers = await mediasoup.connection.iceServers(transport)
    assert.equal(servers[0]!.urls, [url])
    return servers
  }

  async function enter(router: ms.Router, iceServers: typeof iceServersOf): Promise<Page> {
    const page = await browser.newPage()
    await page.exposeFunction('ask', application(router, iceServers))
    await page.goto(await servePage())
    await page.waitForFunction(() => 'candidateTypes' in globalThis)
    return page
  }
})

here('coturn lets in nobody with wrong or expired credentials', async () => {
  const { url, router, mediasoup } = await startHost()
  const transport = await createTransport(router)
  const [good] = await mediasoup.connection.iceServers(transport)
  const refused = 'Cannot complete Allocation'
  assert.match(await tryTurn(url, { ...good!, credential: 'guessed' }, address!), refused)
  const username = `${Math.floor(Date.now() / 1_000) - 10}:late`
  const credential = createHmac('sha1', SECRET).update(username).digest('base64')
  assert.match(await tryTurn(url, { username, credential }, address!), refused)
})

here('coturn relays to its own host, and to no other', async () => {
  const { url, router, mediasoup } = await startHost()
  const [good] = await mediasoup.connection.iceServers(await createTransport(router))
  for (const peer of ['10.1.2.3', '127.0.0.1', '169.254.169.254'])
    assert.match(await tryTurn(url, good!, peer), 'error 403 (Forbidden IP)', peer)
})

/** A host with coturn beside it, and a room on it. */
async function startHost() {
  const folder = await mkdtemp(join(tmpdir(), 'mafalda-turn-'))
  afterTest(() => rm(folder, { recursive: true }))
  const secretFile = join(folder, 'secret')
  await writeFile(secretFile, `${SECRET}\n`, { mode: 0o600 })
  const coturn = await startCoturn(address!, await freePort(), SECRET)
  afterTest(() => coturn.end())
  const { mediasoup } = await connectLeaf([
    ...['--announced-address', address!, '--turn', coturn.url, '--turn-secret', secretFile]
  ])
  const worker = await mediasoup.createWorker()
  return { url: coturn.url, mediasoup, router: await worker.createRouter({ mediaCodecs }) }
}

const createTransport = (router: ms.Router) =>
  router.createWebRtcTransport({ listenInfos: [{ protocol: 'udp', ip: address! }] })

/** What an application does for one participant. */
function application(
  router: ms.Router,
  iceServersOf: (transport: ms.WebRtcTransport) => Promise<IceServer[]>
) {
  const transports = new Map<string, ms.WebRtcTransport>()
  return async (method: string, data: { transportId?: string } = {}) => {
    const transport = transports.get(data.transportId!)!
    switch (method) {
      case 'capabilities':
        return router.rtpCapabilities
      case 'createTransport': {
        const created = await createTransport(router)
        transports.set(created.id, created)
        const { id, iceParameters, iceCandidates, dtlsParameters } = created
        const iceServers = await iceServersOf(created)
        return { id, iceParameters, iceCandidates, dtlsParameters, iceServers }
      }
      case 'connect':
        return transport.connect(data as Parameters<typeof transport.connect>[0])
      case 'produce':
        return (await transport.produce(data as ms.ProducerOptions)).id
      case 'consume': {
        const { id, producerId, kind, rtpParameters } = await transport.consume(
          data as unknown as ms.ConsumerOptions
        )
        return { id, producerId, kind, rtpParameters }
      }
    }
  }
}

/** Only of this machine, or with TLS, may a page use the camera. */
async function servePage(): Promise<string> {
  const file = fileURLToPath(new URL('turn-page.ts', import.meta.url))
  const format = 'esm'
  const { outputFiles } = await build({ entryPoints: [file], bundle: true, format, write: false })
  const html = `<!doctype html><body><script type="module">${outputFiles[0]!.text}</script>`
  const server = createServer((_, response) =>
    response.setHeader('content-type', 'text/html').end(html)
  )
  afterTest(() => server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

test.run()
