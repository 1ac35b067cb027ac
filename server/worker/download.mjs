// The prebuilt worker that mediasoup publishes with its releases, found as mediasoup's own install
// script finds it. That script itself cannot be used: when there is none, it goes on to a build
// that downloads its dependencies.

import { chmod, writeFile } from 'node:fs/promises'
import { arch, platform, release } from 'node:os'
import { join } from 'node:path'
import { keep } from './cache.mjs'
import { run } from './commands.mjs'

const ANSWER_WITHIN = 10_000 // ms

/**
 * @param {{ version: string, repository: { url: string } }} mediasoup its package.json
 * @param {NodeJS.ProcessEnv} env
 */
export function prebuiltUrl({ version, repository }, env) {
  const base =
    env.MEDIASOUP_WORKER_PREBUILT_DOWNLOAD_BASE_URL ||
    `${repository.url.replace(/^git\+/, '').replace(/\.git$/, '')}/releases/download`
  const kernel = platform() === 'linux' ? `-kernel${release().split('.')[0]}` : ''
  return `${base}/${version}/mediasoup-worker-${version}-${platform()}-${arch()}${kernel}.tgz`
}

/**
 * @param {string} url
 * @param {string} target
 */
export async function download(url, target) {
  const archive = await get(url)
  await keep(target, async scratch => {
    const file = join(scratch, 'worker.tgz')
    await writeFile(file, archive)
    const { status, output } = await run('tar', ['-xzf', file, '-C', scratch])
    if (status !== 0) throw new Error(`tar cannot unpack it: ${output.trim()}`)
    const worker = join(scratch, 'mediasoup-worker')
    await chmod(worker, 0o755)
    return worker
  })
}

async function get(/** @type {string} */ url) {
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
    return Buffer.from(await response.arrayBuffer())
  } catch (error) {
    // fetch() says only "fetch failed"; why, is in the cause.
    throw error instanceof TypeError && error.cause ? error.cause : error
  } finally {
    clearTimeout(timer)
  }
}
