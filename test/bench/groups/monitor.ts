// How the monitor's page scrolls, in Chromium, over a tree of 200 hosts and 5,000 rooms that changes
// each second.

/// <reference lib="dom" />
import { type Page, chromium } from 'playwright-core'
import { findChromium } from '../../../build/chromium.mjs'
import { serveInvented } from '../../monitor/invented-tier.ts'
import { inventTree } from '../../monitor/invented-tree.ts'
import { type Group, type Sample, quick, rounds, row } from '../measure.ts'

const ROUNDS = 3
const FRAMES = quick ? 60 : 300
const TICK_MS = 1_000
// 60 frames a second.
const FRAME_MS = 16.7

export const monitor: Group = {
  name: 'monitor',
  about: "frames of the monitor's page, which scrolls over 200 hosts and 5,000 rooms",

  async run() {
    const tier = await serveInvented(inventTree({ hosts: 200, rooms: 2_860 }))
    const browser = await chromium.launch({
      executablePath: await findChromium(),
      args: ['--no-sandbox']
    })
    const page = await browser.newPage({ viewport: { width: 1360, height: 900 } })
    await page.goto(tier.url)
    await page.getByText('Live').waitFor()
    const timer = setInterval(() => tier.tick(), TICK_MS)
    try {
      const samples = await rounds(
        ROUNDS,
        {
          rooms: () => scroll(page, 'Rooms', '.tables .scroll'),
          hosts: () => scroll(page, 'Hosts', '.map .scroll')
        },
        { warmUp: 1 }
      )
      return [
        row({
          what: 'a frame, the table of rooms scrolls',
          unit: 'ms',
          samples: samples.rooms,
          target: { of: 'value', atMost: FRAME_MS }
        }),
        row({
          what: 'a frame, the map of hosts scrolls',
          unit: 'ms',
          samples: samples.hosts,
          target: { of: 'value', atMost: FRAME_MS }
        })
      ]
    } finally {
      clearInterval(timer)
      await browser.close()
      await tier.close()
    }
  }
}

/** How long frames take while an element scrolls by 40 pixels in each. */
async function scroll(page: Page, tab: string, selector: string): Promise<Sample> {
  await page.getByRole('tab', { name: tab }).click()
  const durations = await page.evaluate(
    async ({ selector, frames }) => {
      const element = document.querySelector(selector)!
      const nextFrame = () => new Promise<number>(resolve => requestAnimationFrame(resolve))
      const times = [await nextFrame()]
      for (let i = 0; i < frames; i++) {
        element.scrollBy(0, 40)
        times.push(await nextFrame())
      }
      return times.slice(1).map((time, i) => time - times[i]!)
    },
    { selector, frames: FRAMES }
  )
  durations.sort((one, other) => one - other)
  const at = (part: number) => durations[Math.floor((durations.length - 1) * part)]!
  return {
    value: durations.reduce((sum, each) => sum + each, 0) / durations.length,
    p50: at(0.5),
    p99: at(0.99)
  }
}
