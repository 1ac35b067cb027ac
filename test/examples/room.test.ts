// The room example, as its users see it: real browsers, real media.

/// <reference lib="dom" />
import { setTimeout } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Page } from 'playwright-core'
import * as mediasoup from 'mediasoup'
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
  sfu.mediasoup.observer.on('newworker', worker => {
    worker.observer.on('newrouter', newest => {
      router = newest
    })
  })
  server = await startRoom(sfu)
  browser = await openBrowser()
})

// The next test begins with an empty room.
test.after.each(async () => {
  await browser.closePages()
  await until(async () => (await transportsOnTheSfu()) === 0)
})

test.after(async () => {
  await browser?.close()
  await server?.close()
  await sfu?.close()
})

test('two participants on different hosts see and hear each other', async () => {
  const [ada, ben] = [await joinAs('Ada'), await joinAs('Ben')]
  await Promise.all([seesAndHears(ada, 'Ben'), seesAndHears(ben, 'Ada')])
  const [carrierOfAda, carrierOfBen] = [
    await carrierOf(ada, 'Ada (you)'),
    await carrierOf(ben, 'Ben (you)')
  ]
  assert.is.not(carrierOfAda.host, carrierOfBen.host)
  assert.equal(
    [await carrierOf(ben, 'Ada'), await carrierOf(ada, 'Ben')],
    [carrierOfAda, carrierOfBen],
    'all see the same'
  )
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
  await tile(speaker === 'Ada' ? ben : ada, speaker)
    .getByText('speaking')
    .waitFor({ state: 'hidden' })
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
  const [ada, ben, cleo, dan] = await Promise.all([
    joinAs('Ada'),
    joinAs('Ben'),
    joinAs('Cleo'),
    joinAs('Dan')
  ])
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
  await Promise.all([
    seesAndHears(cleo, 'Ben'),
    seesAndHears(ada, 'Cleo'),
    seesAndHears(ben, 'Cleo')
  ])
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

test('when a Worker dies, whom it carried is back by itself and as muted as before, and the others go on', async () => {
  const [ada, ben] = [await joinAs('Ada'), await joinAs('Ben')]
  await Promise.all([seesAndHears(ada, 'Ben'), seesAndHears(ben, 'Ada')])
  await says(ada, 'hello')
  await reads(ben, 'Ada', 'hello')
  await ben.click('#audio')
  await tile(ada, 'Ben').getByLabel('microphone off').waitFor()

  const [before, { host, pid }] = [
    await carrierOf(ada, 'Ada (you)'),
    await carrierOf(ben, 'Ben (you)')
  ]
  process.kill(pid, 'SIGKILL')
  await readsNews(ben, `Worker ${pid} of ${host} is gone. You have joined again.`)
  await tile(ada, 'Ben').getByLabel('microphone off').waitFor()
  await ben.click('#audio')
  await Promise.all([seesAndHears(ada, 'Ben'), seesAndHears(ben, 'Ada')])
  assert.is.not((await carrierOf(ada, 'Ben')).pid, pid)
  assert.equal(await carrierOf(ada, 'Ada (you)'), before)
  await ben.getByRole('log').getByText('hello').waitFor()
  await says(ben, 'I am back')
  await reads(ada, 'Ben', 'I am back')
  await until(() => speakerOn(ada))
})

test('when a host is lost the room goes on with the other one', async () => {
  const lossy = await openMediasoup()
  const { url, close } = await startRoom(lossy)
  try {
    const pages = [await joinAs('Ada', { url }), await joinAs('Ben', { url })] as const
    lossy.crash('host-a')
    await Promise.all(pages.map(page => readsNews(page, 'You have joined again.')))
    await Promise.all([seesAndHears(pages[0], 'Ben'), seesAndHears(pages[1], 'Ada')])
    for (const page of pages) {
      assert.equal(new Set(await page.locator('.carrier b').allTextContents()), new Set(['host-b']))
    }
  } finally {
    await close()
    await lossy.close()
  }
})

test('on mediasoup itself the room is the same, and when its only Worker dies it opens again on a new one', async () => {
  const { url, close } = await startRoom({ mediasoup })
  try {
    const [ada, ben] = [await joinAs('Ada', { url }), await joinAs('Ben', { url })]
    await Promise.all([seesAndHears(ada, 'Ben'), seesAndHears(ben, 'Ada')])
    const carriers = await ada.locator('.carrier').allTextContents()
    const [pid] = carriers.map(carrier =>
      Number(/this machine\s+worker\s+(\d+)/.exec(carrier)?.[1])
    )
    assert.is(
      carriers.length,
      2,
      'one for each participant: it sends to the Worker that it receives from'
    )
    process.kill(pid!, 'SIGKILL')
    await Promise.all(
      [ada, ben].map(page =>
        readsNews(page, `Worker ${pid} of this machine is gone. You have joined again.`)
      )
    )
    await Promise.all([seesAndHears(ada, 'Ben'), seesAndHears(ben, 'Ada')])
  } finally {
    await close()
  }
})

test('when all is lost everybody is told, and may leave', async () => {
  const lost = await openMediasoup()
  const { url, close } = await startRoom(lost)
  try {
    const ada = await joinAs('Ada', { url })
    lost.crash('the aggregator')
    await readsNews(ada, 'Joining again…')
    await ada.click('#leave')
    await ada.getByRole('button', { name: 'Join' }).waitFor()
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
  navigator.mediaDevices.getUserMedia = () =>
    Promise.reject(new DOMException('refused', 'NotAllowedError'))
}

function tile(page: Page, name: string) {
  return page.getByRole('listitem').filter({ has: page.getByText(name, { exact: true }) })
}

async function seesTiles(page: Page, names: string[]): Promise<void> {
  await page.waitForFunction(
    expected => {
      const shown = Array.from(
        document.querySelectorAll('#participants .name'),
        ({ textContent }) => textContent
      )
      return String(shown.sort()) === expected
    },
    String([...names].sort())
  )
}

/** From now on: at least a dozen pictures and some sound. */
async function seesAndHears(page: Page, name: string): Promise<void> {
  await tile(page, name).waitFor()
  const decoded = () => page.evaluate(name => decodedOf(name), name)
  const before = await decoded()
  // Not page.waitForFunction(): a function that is async is true for it at once.
  await until(async () => {
    const { frames, audioEnergy } = await decoded()
    return frames >= before.frames + 12 && audioEnergy > before.audioEnergy
  })
}

async function says(page: Page, text: string): Promise<void> {
  if (!(await page.isVisible('#chat'))) await page.click('#toggle-chat')
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

/** What a participant sends to. */
async function carrierOf(page: Page, name: string): Promise<{ host: string; pid: number }> {
  const carrier = await tile(page, name).locator('.carrier').first().textContent()
  const [, host, pid] = /^\s*(host-[ab])\s+worker\s+(\d+)\s*$/.exec(carrier!)!
  return { host: host!, pid: Number(pid) }
}

function readsNews(page: Page, text: string): Promise<void> {
  return page.getByRole('status').filter({ hasText: text }).waitFor()
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
