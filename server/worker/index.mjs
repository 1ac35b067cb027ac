// Finding mediasoup-worker, the program in which mediasoup's media flows, or making it when there
// is none. Plain JavaScript: it also runs before anything is built, and on the Node.js of a bare
// machine.

import { readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { arch, platform } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { cacheDirectory } from './cache.mjs'
import { named, run } from './commands.mjs'
import { compile, recipe } from './compile.mjs'
import { download, prebuiltUrl } from './download.mjs'

/**
 * The absolute path of a mediasoup-worker that runs on this machine: the one that
 * MEDIASOUP_WORKER_BIN names, else one that is in mediasoup's package or in our cache, else
 * mediasoup's own prebuilt one, downloaded, else one built here from mediasoup's sources (as root
 * on Debian and Ubuntu the packages this needs are installed).
 * @param {object} [options]
 * @param {string} [options.mediasoup] directory of the mediasoup package, by default the one that
 *   we depend on
 * @param {(line: string) => void} [options.log] is told of each step that takes time
 * @param {boolean} [options.build] false: do not build one
 * @param {string} [options.cache] directory
 * @param {NodeJS.ProcessEnv} [options.env]
 * @returns {Promise<string>}
 * @throws {Error} a sentence that says what is missing and what to do
 * @example
 * await mediasoup.createWorker({ workerBin: await findWorker({ log: console.error }) })
 */
export async function findWorker({
  mediasoup = ourMediasoup(),
  log = () => {},
  build = true,
  env = process.env,
  cache = cacheDirectory(env)
} = {}) {
  if (env.MEDIASOUP_WORKER_BIN) return named('MEDIASOUP_WORKER_BIN', env.MEDIASOUP_WORKER_BIN)

  const description = JSON.parse(await readFile(join(mediasoup, 'package.json'), 'utf8'))
  const { version } = description
  const cached = (/** @type {string} */ origin) =>
    resolve(
      cache,
      'mediasoup-worker',
      `${version}-${platform()}-${arch()}-${origin}`,
      'mediasoup-worker'
    )
  // Where mediasoup's own install script leaves it.
  const type = env.MEDIASOUP_BUILDTYPE === 'Debug' ? 'Debug' : 'Release'
  const installed = resolve(mediasoup, 'worker', 'out', type, 'mediasoup-worker')
  const prebuilt = cached('prebuilt')
  const built = cached(await recipe())

  for (const worker of [installed, prebuilt, built]) {
    if (await starts(worker, env)) return worker
  }

  if (!env.MEDIASOUP_SKIP_WORKER_PREBUILT_DOWNLOAD) {
    const url = prebuiltUrl(description, env)
    try {
      await download(url, prebuilt)
      if (await starts(prebuilt, env)) {
        log(`Downloaded mediasoup-worker ${version}, prebuilt by the mediasoup project: ${url}`)
        return prebuilt
      }
      await rm(prebuilt, { force: true })
      log(`No prebuilt mediasoup-worker ${version}: that of ${url} does not start on this system`)
    } catch (error) {
      log(
        `No prebuilt mediasoup-worker ${version}: cannot get ${url}: ${error instanceof Error ? error.message : error}`
      )
    }
  }

  if (!build) {
    throw new Error(
      `mediasoup ${version} needs its worker, and there is none in ${mediasoup} nor in ${cache}: ` +
        'let it be built, or set MEDIASOUP_WORKER_BIN to the path of one'
    )
  }
  await compile(mediasoup, version, built, { log, env })
  if (!(await starts(built, env)))
    throw new Error(`mediasoup-worker ${version} was built, but ${built} does not start`)
  return built
}

function ourMediasoup() {
  // Not its package.json: mediasoup does not export it.
  return join(dirname(createRequire(import.meta.url).resolve('mediasoup')), '..', '..')
}

/**
 * A worker whose libraries are missing, or that is for another system, is as good as none. One that
 * starts exits with 41, because it was not told mediasoup's version: mediasoup tests its own
 * downloads in the same way.
 * @param {string} worker
 * @param {NodeJS.ProcessEnv} env
 */
async function starts(worker, env) {
  const { status } = await run(worker, [], { env: { ...env, MEDIASOUP_VERSION: undefined } })
  return status === 41
}
