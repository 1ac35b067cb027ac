// The room example, as its users see it: real browsers, real media.

/// <reference lib="dom" />
import { setTimeout } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Page } from 'playwright-core'
import type * as ms from 'mediasoup/types'
import { startRoom, type RoomServer } from '../../examples/room/server.ts'
import { openBrowser, openMediasoup, type Browser } from './helper.ts'

const POLL_MS = 50

const test = suite('room')

let sfu: Awaited<ReturnType<typeof openMediasoup>>
let server: RoomServer
let browser: Browser
let router: ms.Router

test.before(async () => {
  sfu = await openMediasoup()
  sfu.mediasoup.observer.on('newworker', (worker) => {
    worker.observer.on('newrouter', (newest) => { router = newest })
  })
  server = await startRoom({ mediasoup: sfu.mediasoup, carrier: 'host-a' })
  browser = await openBrowser()
})

// The next test begins with an empty room.
test.after.each(async () => {
  await browser.closePages()
  await until(async () => await transportsOnTheSfu() === 0)
})

test.after(async () => {
  await browser?.close()
  await server?.close()
  await sfu?.close()
})

test('two participants see and hear each other', async () => {
  const [ada, ben] = await Promise.all([joinAs('Ada'), joinAs('Ben')])
  await Promise.all([seesAndHears(ada, 'Ben'), seesAndHears(ben, 'Ada')])
})

test('chat messages arrive both ways', async () => {
  const [ada, ben] = await Promise.all([joinAs('Ada'), joinAs('Ben')])
  await Promise.all([seesAndHears(ada, 'Ben'), seesAndHears(ben, 'Ada')])
  await says(ada, 'hello')
  await reads(ben, 'Ada', 'hello')
  await says(ben, 'good morning')
  await reads(ada, 'Ben', 'good morning')
})

test('both see the same participant marked as the one who speaks, until that one mutes', async () => {
  const [ada, ben] = await Promise.all([joinAs('Ada'), joinAs('Ben')])
  const speaker = await until(async () => {
    const [one, other] = await Promise.all([speakerOn(ada), speakerOn(ben)])
    return one === other && one
  })
  await (speaker === 'Ada' ? ada : ben).click('#audio')
  await tile(speaker === 'Ada' ? ben : ada, speaker).getByText('speaking').waitFor({ state: 'hidden' })
})

test('who turns off microphone and camera is seen to, and is back after turning them on', async () => {
  const [ada, ben] = await Promise.all([joinAs('Ada'), joinAs('Ben')])
  await seesAndHears(ada, 'Ben')
  await ben.click('#audio')
  await ben.click('#video')
  await tile(ada, 'Ben').getByLabel('microphone off').waitFor()
  await tile(ada, 'Ben').getByLabel('camera off').waitFor()
  await ben.click('#audio')
  await ben.click('#video')
  await tile(ada, 'Ben').getByLabel('microphone off').waitFor({ state: 'hidden' })
  await tile(ada, 'Ben').getByLabel('camera off').waitFor({ state: 'hidden' })
  await seesAndHears(ada, 'Ben')
})

test('who leaves, closes the tab or reloads is gone, and so is everything on the SFU', async () => {
  const [ada, ben, cleo, dan] = await Promise.all([joinAs('Ada'), joinAs('Ben'), joinAs('Cleo'), joinAs('Dan')])
  await seesTiles(ada, ['Ada (you)', 'Ben', 'Cleo', 'Dan'])
  await ben.click('#leave')
  await seesTiles(ada, ['Ada (you)', 'Cleo', 'Dan'])
  await cleo.close()
  await seesTiles(ada, ['Ada (you)', 'Dan'])
  await dan.reload()
  await seesTiles(ada, ['Ada (you)'])
  assert.is(await transportsOnTheSfu(), 2, 'the transports of the one that stays')
})

test('who comes late sees everybody, and who has the camera off', async () => {
  const [ada, ben] = await Promise.all([joinAs('Ada'), joinAs('Ben')])
  await ada.click('#video')
  await tile(ben, 'Ada').getByLabel('camera off').waitFor()
  const cleo = await joinAs('Cleo')
  await Promise.all([seesAndHears(cleo, 'Ben'), seesAndHears(ada, 'Cleo'), seesAndHears(ben, 'Cleo')])
  await tile(cleo, 'Ada').getByLabel('camera off').waitFor()
  await says(ada, 'welcome')
  await reads(cleo, 'Ada', 'welcome')
})

test('two participants may have the same name', async () => {
  const [one, other] = await Promise.all([joinAs('Ada'), joinAs('Ada')])
  await Promise.all([seesAndHears(one, 'Ada'), seesAndHears(other, 'Ada')])
})

test('who refuses camera and microphone is a viewer and reads why', async () => {
  const ada = await joinAs('Ada')
  const viewer = await joinAs('Vera', { inPage: refuseDevices })
  await seesAndHears(viewer, 'Ada')
  await viewer.getByRole('status').filter({ hasText: 'not allowed' }).waitFor()
  await tile(ada, 'Vera').getByLabel('camera off').waitFor()
  await says(viewer, 'I only look')
  await reads(ada, 'Vera', 'I only look')
})

test('when the Worker dies everybody is told, and joining again opens a room on a new one', async () => {
  const [ada, ben] = await Promise.all([joinAs('Ada'), joinAs('Ben')])
  const pid = await workerPid(ada)
  process.kill(pid, 'SIGKILL')
  for (const page of [ada, ben]) {
    await page.getByRole('alert').filter({ hasText: 'has died' }).waitFor()
    await page.click('text=Join')
  }
  await Promise.all([seesAndHears(ada, 'Ben'), seesAndHears(ben, 'Ada')])
  assert.is.not(await workerPid(ada), pid)
  assert.is(await workerPid(ada), await workerPid(ben))
})

test('when the leaf is lost everybody is told', async () => {
  const lost = await openMediasoup()
  const { url, close } = await startRoom({ mediasoup: lost.mediasoup })
  try {
    const pages = await Promise.all([joinAs('Ada', { url }), joinAs('Ben', { url })])
    lost.crash()
    await Promise.all(pages.map((page) => page.getByRole('alert').filter({ hasText: 'has died' }).waitFor()))
  } finally {
    await close()
    await lost.close()
  }
})

async function joinAs(name: string, { url = server.url, inPage = () => {} } = {}): Promise<Page> {
  const page = await browser.newPage()
  await page.addInitScript(inPage)
  await page.goto(url)
  await page.fill('#name', name)
  await page.click('text=Join')
  await tile(page, `${name} (you)`).waitFor()
  return page
}

/** Runs in the page, as if its user had said no. */
function refuseDevices() {
  navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('refused', 'NotAllowedError'))
}

function tile(page: Page, name: string) {
  return page.getByRole('listitem').filter({ has: page.getByText(name, { exact: true }) })
}

async function seesTiles(page: Page, names: string[]): Promise<void> {
  await page.waitForFunction((expected) => {
    const shown = Array.from(document.querySelectorAll('#participants .name'), ({ textContent }) => textContent)
    return String(shown.sort()) === expected
  }, String([...names].sort()))
}

/** From now on: at least a dozen pictures and some sound. */
async function seesAndHears(page: Page, name: string): Promise<void> {
  await tile(page, name).waitFor()
  const before = await page.evaluate((name) => decodedOf(name), name)
  await page.waitForFunction(async ({ name, before }) => {
    const { frames, audioEnergy } = await decodedOf(name)
    return frames >= before.frames + 12 && audioEnergy > before.audioEnergy
  }, { name, before })
}

async function says(page: Page, text: string): Promise<void> {
  if (!await page.isVisible('#chat')) await page.click('#toggle-chat')
  await page.fill('#text', text)
  await page.press('#text', 'Enter')
}

function reads(page: Page, author: string, text: string): Promise<void> {
  return page.getByRole('log').getByText(`${author}${text}`).waitFor()
}

async function speakerOn(page: Page): Promise<string> {
  const name = await page.locator('.speaker:has(.speaks:visible) .name').textContent()
  return name!.replace(' (you)', '')
}

async function workerPid(page: Page): Promise<number> {
  const carrier = await page.locator('.me .carrier').textContent()
  const [, pid] = /^host-a · worker (\d+)$/.exec(carrier!)!
  return Number(pid)
}

async function transportsOnTheSfu(): Promise<number> {
  return (await router.dump()).transportIds.length
}

async function until<T>(condition: () => Promise<T | false | undefined>): Promise<T> {
  for (;;) {
    const result = await condition()
    if (result) return result
    await setTimeout(POLL_MS)
  }
}

test.run()
