// mediasoup-worker from the sources in mediasoup's npm package and the libraries of the system: see
// CMakeLists.txt.

import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { keep } from './cache.mjs'
import { run, tail } from './commands.mjs'
import { installPackages } from './packages.mjs'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const RECIPE = ['CMakeLists.txt', 'shims/srtp.h', 'shims/ankerl/unordered_dense.h']
/** Of Debian and Ubuntu. */
export const PACKAGES = [
  'g++',
  'cmake',
  'ninja-build',
  'pkg-config',
  'flatbuffers-compiler',
  'libflatbuffers-dev',
  'libuv1-dev',
  'libssl-dev',
  'libsrtp2-dev',
  'libabsl-dev'
]

/** Names the recipe in the cache: a worker that was built differently is another worker. */
export async function recipe() {
  const hash = createHash('sha256')
  for (const file of RECIPE) hash.update(await readFile(join(HERE, file)))
  return hash.digest('hex').slice(0, 8)
}

/**
 * @param {string} mediasoup directory of the package
 * @param {string} version
 * @param {string} target
 * @param {{ log: (line: string) => void, env: NodeJS.ProcessEnv }} options
 */
export async function compile(mediasoup, version, target, { log, env }) {
  await keep(target, async scratch => {
    const cmake = (/** @type {string[]} */ ...args) => run('cmake', args, { env })
    const configure = () =>
      cmake(
        '--fresh',
        '-G',
        'Ninja',
        '-S',
        HERE,
        '-B',
        scratch,
        '-DCMAKE_BUILD_TYPE=Release',
        `-DWORKER=${join(mediasoup, 'worker')}`
      )

    // CMake knows best whether something is missing: it also finds what is not from a package.
    let configured = await configure()
    if (configured.status !== 0) {
      const reason = `mediasoup-worker ${version} has to be built here, which needs more than is installed${missing(configured.output)}`
      await installPackages(PACKAGES, { reason, log, env })
      configured = await configure()
    }
    if (configured.status !== 0) throw failed('CMake cannot configure it', configured.output)

    log(
      `Building mediasoup-worker ${version} from the sources in its npm package: takes some minutes, once`
    )
    const built = await cmake('--build', scratch)
    if (built.status !== 0) throw failed('it does not compile', compilerErrors(built.output))
    return join(scratch, 'mediasoup-worker')
  })

  function failed(/** @type {string} */ what, /** @type {string} */ output) {
    return new Error(
      `mediasoup-worker ${version} must be buildable from ${mediasoup} with the libraries of this system, ` +
        `but ${what}. Set MEDIASOUP_WORKER_BIN to a worker of this version, or use another version. The end of the output:\n` +
        tail(output, 30)
    )
  }
}

/** The line with which CMake, or the system when there is no CMake, names what it misses. */
function missing(/** @type {string} */ output) {
  const [line] =
    output.match(/.*(Package '|No package|Could not|could be found|unable to find|ENOENT).*/i) ?? []
  return line ? ` (${line.replace(/^[\s-]+/, '').trim()})` : ''
}

/**
 * What the compiler said about the first file that failed, without the other files' progress and
 * our command lines.
 */
function compilerErrors(/** @type {string} */ output) {
  const [, failure = output] = output.split(/^FAILED: /m)
  return failure
    .split('\n')
    .filter(line => line.length < 300 && !/^\[\d+\/\d+\]/.test(line))
    .slice(0, 30)
    .join('\n')
}
