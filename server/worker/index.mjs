// Finding mediasoup-worker, the program in which mediasoup's media flows, or making it when there
// is none. Plain JavaScript: it also runs before anything is built, and on the Node.js of a bare
// machine.

import { readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { arch, platform } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { cacheDirectory } from './cache.mjs'
import { named, run } from './commands.mjs'
import { expectedHash } from './checksums.mjs'
import { compile, recipe } from './compile.mjs'
import { archiveName, download, prebuiltUrl } from './download.mjs'
import { trustedProgram } from './trust.mjs'

/**
 * The absolute path of a mediasoup-worker that runs on this machine: the one that
 * MEDIASOUP_WORKER_BIN names, else one that is in mediasoup's package or in our cache, else
 * mediasoup's own prebuilt one, downloaded if its SHA-256 is known, else one built here from
 * mediasoup's sources (as root on Debian and Ubuntu the packages this needs are installed).
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
  const expected = await expectedHash(archiveName(version), env)
  // Named by the hash, so that one that was downloaded unchecked, or is another's, is not taken.
  const prebuilt = expected && cached(`prebuilt-${expected.hash.slice(0, 16)}`)
  const built = cached(await recipe())

  if (await starts(installed, env)) return installed
  for (const target of [prebuilt, built]) {
    const worker = target && (await trustedProgram(target))
    if (worker && (await starts(worker, env))) return worker
  }

  if (!env.MEDIASOUP_SKIP_WORKER_PREBUILT_DOWNLOAD) {
    const worker = await downloaded()
    if (worker) return worker
  }

  if (!build) {
    throw new Error(
      `mediasoup ${version} needs its worker, and there is none in ${mediasoup} nor in ${cache}: ` +
        'let it be built, or set MEDIASOUP_WORKER_BIN to the path of one'
    )
  }
  await compile(mediasoup, version, built, { log, env })
  const worker = await trustedProgram(built)
  if (!worker || !(await starts(worker, env)))
    throw new Error(`mediasoup-worker ${version} was built, but ${built} does not start`)
  return worker

  async function downloaded() {
    const none = `No prebuilt mediasoup-worker ${version}`
    if (!expected || !prebuilt) {
      log(
        `${none}: the SHA-256 of ${archiveName(version)} is not in Mafalda's list, and MAFALDA_WORKER_SHA256 does not state it`
      )
      return undefined
    }
    const url = prebuiltUrl(description, env)
    try {
      const host = await download(url, expected.hash, prebuilt)
      const worker = await trustedProgram(prebuilt)
      if (worker && (await starts(worker, env))) {
        log(
          `Downloaded mediasoup-worker ${version} from ${host} (${url}); its SHA-256 is that of ${expected.source}`
        )
        return worker
      }
      await rm(prebuilt, { force: true })
      log(`${none}: that of ${url} does not start on this system`)
    } catch (error) {
      log(`${none}: cannot get ${url}: ${error instanceof Error ? error.message : error}`)
    }
  }
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
