// Pictures of the monitor's page for the documents: light, dark, and on a phone.

import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { findChromium } from '../../build/chromium.mjs'
import { serveInvented } from './invented-tier.ts'
import { inventTree } from './invented-tree.ts'

const SECONDS = 100
const folder = process.argv[2] ?? join(import.meta.dirname, '../../docs')

const PICTURES = [
  { name: 'monitor-light', width: 1360, height: 900, colorScheme: 'light' },
  { name: 'monitor-dark', width: 1360, height: 900, colorScheme: 'dark', room: true },
  { name: 'monitor-phone', width: 390, height: 844, colorScheme: 'light' }
] as const

async function main() {
  const tier = await serveInvented(inventTree())
  const browser = await chromium.launch({
    executablePath: await findChromium(),
    args: ['--no-sandbox']
  })
  try {
    for (const picture of PICTURES) {
      const { name, width, height, colorScheme } = picture
      const page = await browser.newPage({ viewport: { width, height }, colorScheme })
      page.on('console', message => console.log(message.text()))
      page.on('pageerror', error => console.log(error))
      await page.goto(tier.url)
      await page.getByText('Live').waitFor()
      for (let second = 0; second < SECONDS; second++) tier.tick()
      if ('room' in picture) {
        await page.getByRole('tab', { name: 'Rooms' }).click()
        await page.getByRole('button', { name: 'Producers' }).click()
        await page.locator('tbody button').first().click()
        await page.getByRole('tab', { name: 'Consumers' }).click()
        for (let second = 0; second < SECONDS; second++) tier.tick()
      }
      await page.getByText('Uses ').first().waitFor()
      await page.screenshot({ path: join(folder, `${name}.png`) })
      await page.close()
    }
  } finally {
    await browser.close()
    await tier.close()
  }
}

await main()
