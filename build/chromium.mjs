// The browser of the tests in which media really flows.

import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { named } from '../server/worker/commands.mjs'
import { installPackages } from '../server/worker/packages.mjs'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome']

/**
 * The path of a Chromium: the one that CHROMIUM_BIN names, else one in PATH, else Debian's,
 * installed if we are root.
 * @param {(line: string) => void} [log]
 * @returns {Promise<string>}
 */
export async function findChromium(log = () => {}) {
  if (process.env.CHROMIUM_BIN) return named('CHROMIUM_BIN', process.env.CHROMIUM_BIN)
  const there = await inPath()
  if (there) return there
  await installPackages(['chromium'], {
    reason: 'The browser tests need a Chromium, in PATH or named by CHROMIUM_BIN',
    log
  })
  const installed = await inPath()
  if (!installed)
    throw new Error(
      `Chromium must be in PATH as one of ${NAMES.join(', ')}: its package installed none of them`
    )
  return installed
}

async function inPath() {
  for (const directory of process.env.PATH?.split(delimiter) ?? []) {
    for (const name of NAMES) {
      const path = join(directory, name)
      if (
        await access(path, constants.X_OK).then(
          () => true,
          () => false
        )
      )
        return path
    }
  }
}
