// node_modules as package-lock.json wants it.

import { readFileSync } from 'node:fs'
import { run } from '../server/worker/commands.mjs'

/** @param {(line: string) => void} log */
export async function installDependencies(log) {
  const reason = whyInstall()
  if (!reason) return
  log(`Installing dependencies with npm ci: ${reason}`)
  // No install scripts: mediasoup's would download or build its worker, in a way that needs more
  // than the registry.
  const { status, output } = await run('npm', [
    'ci',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--loglevel=error'
  ])
  // npm says first what is wrong, and then how it is used.
  if (status !== 0)
    throw new Error(
      `npm ci must succeed, but it exited with ${status}:\n${output.split('\n', 20).join('\n')}`
    )
}

/**
 * Compares with npm's own record of what it installed, so that it does not matter who installed it.
 */
function whyInstall() {
  const wanted = packagesOf('package-lock.json')
  let installed
  try {
    installed = packagesOf('node_modules/.package-lock.json')
  } catch {
    return 'there are none yet' // Or npm was interrupted: it writes its record last.
  }
  for (const [path, { version, optional }] of Object.entries(wanted)) {
    if (path === '') continue // the project itself
    if (!installed[path] && optional) continue // for another platform
    if (installed[path]?.version !== version) return `package-lock.json wants ${path} ${version}`
  }
}

/** @returns {Record<string, { version: string, optional?: boolean }>} */
const packagesOf = (/** @type {string} */ lockfile) =>
  JSON.parse(readFileSync(lockfile, 'utf8')).packages
