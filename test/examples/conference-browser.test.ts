// The conference example with browsers: they see and hear each other, through Routers of their own.

/// <reference lib="dom" />
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { Page } from 'playwright-core'
import { test } from 'uvu'
import { afterTest, cleanUp, until } from '../helper.ts'
import type {} from './conference-page.ts'
import { type Browser, openBrowser } from './helper.ts'
import { startApplication, trees } from './trees.ts'

const FRAMES = 5

cleanUp(test)

let browser: Browser
let script: string

test.before(async () => {
  const file = fileURLToPath(new URL('conference-page.ts', import.meta.url))
  const { outputFiles } = await build({ entryPoints: [file], bundle: true, write: false })
  script = outputFiles[0]!.text
  browser = await openBrowser()
})
test.after.each(() => browser.closePages())
test.after(() => browser.close())

for (const name of ['plain mediasoup', 'Routers that span two hosts']) {
  test(`two browsers see and hear each other on ${name}`, async () => {
    const env = { ROUTER_SIZE: '1' }
    const port = await startApplication('examples/conference/server.ts', await trees[name]!(), env)
    const pages = [await enter(port, 'ada'), await enter(port, 'ben')]
    await Promise.all(pages.map(page => page.evaluate(() => produce())))
    await Promise.all(pages.map(seesAndHears))
  })
}

async function enter(port: number, id: string): Promise<Page> {
  const page = await browser.newPage()
  await page.goto(await servePage())
  await page.evaluate(url => join(url), `ws://127.0.0.1:${port}/room?id=${id}`)
  return page
}

/** Only of this machine, or with TLS, may a page use the camera. */
async function servePage(): Promise<string> {
  const html = `<!doctype html><body><script>${script}</script>`
  const server = createServer((_, response) =>
    response.setHeader('content-type', 'text/html').end(html)
  )
  afterTest(() => server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

async function seesAndHears(page: Page) {
  await until(async () => {
    const { frames, audioEnergy } = await page.evaluate(() => decoded())
    return frames >= FRAMES && audioEnergy > 0
  })
}

test.run()
