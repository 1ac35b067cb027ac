// A Node.js that is new enough: mediasoup wants 22, and running TypeScript as it is wants 22.18.

import { arch, platform } from 'node:os'
import { join } from 'node:path'
import { cacheDirectory, keep } from '../server/worker/cache.mjs'
import { run, tail } from '../server/worker/commands.mjs'
import { trustedProgram } from '../server/worker/trust.mjs'

const VERSION = 24

/** @param {(line: string) => void} log */
export async function findNode(log) {
  if (process.features.typescript) return process.execPath
  const name = `node-${platform()}-${arch()}`
  const node = join(cacheDirectory(), name, String(VERSION), 'bin', 'node')
  const kept = await trustedProgram(node)
  if (kept) return kept

  log(
    `Fetching Node.js ${VERSION} from the npm registry: 22.18 or newer is needed, and this is ${process.versions.node}`
  )
  await keep(node, async scratch => {
    /** @type {[command: string, ...args: string[]][]} */
    const todo = [
      ['npm', 'pack', `${name}@${VERSION}`, '--silent', '--pack-destination', scratch],
      ['sh', '-c', 'tar -xzf "$0"/*.tgz -C "$0" package/bin/node', scratch],
      // Not every system runs every binary.
      [join(scratch, 'package', 'bin', 'node'), '--version']
    ]
    for (const [command, ...args] of todo) {
      const { status, output } = await run(command, args)
      if (status !== 0) {
        throw new Error(
          'Node.js must be 22.18 or newer, and a newer one could not be had from the npm registry. ' +
            `Install one and try again. ${command} ${args.join(' ')} failed:\n${tail(output)}`
        )
      }
    }
    return join(scratch, 'package', 'bin', 'node')
  })
  return node
}
