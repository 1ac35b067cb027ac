// Debian packages: installed when we may, asked for when not.

import { run, tail } from './commands.mjs'

/**
 * @param {string[]} packages
 * @param {{ reason: string, log: (line: string) => void, env?: NodeJS.ProcessEnv }} options
 */
export async function installPackages(packages, { reason, log, env = process.env }) {
  const root = process.getuid?.() === 0
  const install = ['install', '--yes', '--no-install-recommends', ...packages]
  const apt = (/** @type {string[]} */ args) =>
    // Another apt-get may be at work: wait for it rather than fail.
    run('apt-get', ['-o', 'DPkg::Lock::Timeout=300', ...args], {
      env: { ...env, DEBIAN_FRONTEND: 'noninteractive' }
    })

  if (!root || (await apt(['--version'])).status !== 0) {
    const sudo = root ? '' : 'sudo '
    throw new Error(
      `${reason}. Install it and try again, on Debian and Ubuntu with:\n` +
        `${sudo}apt-get update && ${sudo}apt-get ${install.join(' ')}`
    )
  }
  log(`Installing ${packages.join(' ')} with apt-get: ${reason}`)
  let result = await apt(install)
  // Without package lists, or with old ones, packages cannot be found.
  if (result.status !== 0) result = (await apt(['update']), await apt(install))
  if (result.status !== 0)
    throw new Error(`${reason}, but apt-get ${install.join(' ')} failed:\n${tail(result.output)}`)
}
