// Pictures of the monitor's page for the documents: light, dark, and on a phone.

import { join } from 'node:path'
import { type Browser, type Page, chromium } from 'playwright-core'
import { findChromium } from '../../build/chromium.mjs'
import { type InventedTier, serveInvented } from './invented-tier.ts'
import type { SurveyEntry } from '../../lib/survey.ts'
import { type InventedTree, inventTree } from './invented-tree.ts'

const SECONDS = 100
const folder = process.argv[2] ?? join(import.meta.dirname, '../../docs')

const PICTURES = [
  { name: 'monitor-light', width: 1240, height: 830, colorScheme: 'light' },
  { name: 'monitor-dark', width: 1240, height: 830, colorScheme: 'dark', room: true },
  { name: 'monitor-phone', width: 390, height: 844, colorScheme: 'light' }
] as const

async function main() {
  const executablePath = await findChromium()
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
  try {
    for (const picture of PICTURES) await take(browser, picture)
  } finally {
    await browser.close()
  }
}

async function take(browser: Browser, picture: (typeof PICTURES)[number]) {
  const { name, width, height, colorScheme } = picture
  const tree = inventTree({ rooms: 24 })
  const tier = await serveInvented(tree)
  try {
    const page = await browser.newPage({ viewport: { width, height }, colorScheme })
    await page.goto(tier.url)
    await page.getByText('Live').waitFor()
    for (let second = 0; second < SECONDS; second++) tier.tick(scenario(tree, second))
    // All seconds have gone by there, too.
    await page.getByText('is lost').first().waitFor()
    if ('room' in picture) await openRoom(page, tier)
    await page.screenshot({ path: join(folder, `${name}.jpg`), type: 'jpeg', quality: 86 })
    await page.close()
  } finally {
    await tier.close()
  }
}

/** The first room that spans several Routers. */
async function openRoom(page: Page, tier: InventedTier) {
  await page.getByRole('tab', { name: 'Pipes' }).click()
  await page.locator('tbody button').first().click()
  await page.getByRole('navigation').getByRole('link', { name: 'Router' }).click()
  await page.getByRole('tab', { name: 'Consumers' }).click()
  for (let second = 0; second < SECONDS; second++) tier.tick()
  await page.getByText('Has a score of').first().waitFor()
}

/** A session comes, a Worker dies, and two hosts are in trouble. */
function scenario(
  tree: InventedTree,
  second: number
): { changed?: SurveyEntry[]; gone?: string[] } {
  const entries = tree.survey({ detail: 'workers' })
  const [, , , , two, three] = entries.filter(({ kind }) => kind === 'tier')
  const [worker] = entries.filter(({ kind }) => kind === 'Worker')
  const changed = new Map<number, SurveyEntry | undefined>([
    [
      20,
      {
        id: 'vjw3kd/session/s9',
        of: 'vjw3kd',
        kind: 'session',
        subject: 'classroom',
        since: 0,
        objects: 12
      }
    ],
    [45, { ...worker, died: true } as SurveyEntry],
    [70, { ...two, draining: {} } as SurveyEntry],
    [88, { ...three, problem: 'the connection is silent' } as SurveyEntry]
  ]).get(second)
  return changed ? { changed: [changed] } : {}
}

await main()
