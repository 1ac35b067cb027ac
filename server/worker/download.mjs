// The prebuilt worker that mediasoup publishes with its releases, found as mediasoup's own install
// script finds it, and checked. That script itself cannot be used: it checks nothing, and when there
// is none, it goes on to a build that downloads its dependencies.

import { writeFile } from 'node:fs/promises'
import { arch, platform, release } from 'node:os'
import { join } from 'node:path'
import { keep } from './cache.mjs'
import { sha256 } from './checksums.mjs'
import { run } from './commands.mjs'

const ANSWER_WITHIN = 10_000 // ms

/** The name of the archive for this machine. */
export function archiveName(/** @type {string} */ version) {
  const kernel = platform() === 'linux' ? `-kernel${release().split('.')[0]}` : ''
  return `mediasoup-worker-${version}-${platform()}-${arch()}${kernel}.tgz`
}

/**
 * @param {{ version: string, repository: { url: string } }} mediasoup its package.json
 * @param {NodeJS.ProcessEnv} env
 */
export function prebuiltUrl({ version, repository }, env) {
  const base =
    env.MEDIASOUP_WORKER_PREBUILT_DOWNLOAD_BASE_URL ||
    `${repository.url.replace(/^git\+/, '').replace(/\.git$/, '')}/releases/download`
  return `${base}/${version}/${archiveName(version)}`
}

/**
 * @param {string} url
 * @param {string} hash SHA-256 of the archive
 * @param {string} target
 * @returns {Promise<string>} the host that it came from, behind redirections
 */
export async function download(url, hash, target) {
  const { bytes: archive, host } = await get(url)
  const got = sha256(archive)
  if (got !== hash) throw new Error(`its SHA-256 must be ${hash} (got ${got})`)
  await keep(target, async scratch => {
    const file = join(scratch, 'worker.tgz')
    await writeFile(file, archive)
    const { status, output } = await run('tar', ['-xzf', file, '-C', scratch])
    if (status !== 0) throw new Error(`tar cannot unpack it: ${output.trim()}`)
    return join(scratch, 'mediasoup-worker')
  })
  return host
}

/** The bytes at a URL, and the host that had them. */
export async function get(/** @type {string} */ url) {
  requireHttps(url)
  const abort = new AbortController()
  const timer = setTimeout(
    () => abort.abort(new Error(`no answer within ${ANSWER_WITHIN / 1000} s`)),
    ANSWER_WITHIN
  )
  try {
    const response = await fetch(url, { signal: abort.signal })
    if (!response.ok)
      throw new Error(`the server answered ${response.status} ${response.statusText}`)
    clearTimeout(timer) // The rest may take as long as it takes.
    requireHttps(response.url)
    return { bytes: Buffer.from(await response.arrayBuffer()), host: new URL(response.url).host }
  } catch (error) {
    // fetch() says only "fetch failed"; why, is in the cause.
    throw error instanceof TypeError && error.cause ? error.cause : error
  } finally {
    clearTimeout(timer)
  }
}

function requireHttps(/** @type {string} */ url) {
  const { protocol, host } = new URL(url)
  if (protocol !== 'https:')
    throw new Error(`the URL must begin with https:// (got ${protocol}//${host})`)
}
