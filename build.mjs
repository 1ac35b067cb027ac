// From a bare clone to whatever runs in it: `node build.mjs [command [args…]]`, on Node.js 20 and
// newer, without a command only to build. Every step first looks whether it has anything to do, so
// that a warm start takes no time.

import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { delimiter, dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { installDependencies } from './build/dependencies.mjs'
import { bundle, declare } from './build/dist.mjs'
import { findNode } from './build/node.mjs'
import { findWorker } from './server/worker/index.mjs'

/**
 * What each command runs, followed by its arguments.
 * @type {Record<string, string[] | undefined>}
 */
const COMMANDS = {
  build: undefined,
  start: ['node', 'examples/room/start.mjs'],
  test: ['node', 'test/run.ts'],
  bench: ['node', 'test/bench/index.ts'],
  chaos: ['node', 'test/chaos/index.ts'],
  load: ['node', 'test/load/index.ts'],
  conformance: ['node', 'dist/mafalda.js', 'conformance'],
  fuzz: ['node', 'conformance/fuzz/run.ts'],
  checksums: ['node', 'build/checksums.mjs'],
  sbom: ['node', 'build/sbom.mjs'],
  screenshots: ['node', 'test/monitor/screenshots.ts'],
  lint: ['node_modules/.bin/biome', 'lint'],
  format: ['node_modules/.bin/biome', 'format', '--write'],
  exec: [] // any command, for example `node build.mjs exec node test/server/worker.test.ts`
}

const log = (/** @type {string} */ line) => console.error(line) // stdout belongs to the command, and to `npm pack --json`

async function main([name = 'build', ...args] = process.argv.slice(2)) {
  if (!Object.hasOwn(COMMANDS, name)) {
    throw new Error(`The command must be one of ${Object.keys(COMMANDS).join(', ')} (got ${name})`)
  }
  process.chdir(fileURLToPath(new URL('.', import.meta.url)))

  await installDependencies(log)
  const node = await findNode(log)
  // First in PATH, so that every `node` below is this one, also that of npm and of shebangs.
  process.env.PATH = dirname(node) + delimiter + process.env.PATH
  process.env.MEDIASOUP_WORKER_BIN = await findWorker({ log })
  await bundle(log)
  if (name === 'build' || name === 'test') await declare(log) // To run, nobody needs types.

  const [program, ...rest] = [...(COMMANDS[name] ?? []), ...args]
  if (program) process.exitCode = await execute(program, rest)
}

/**
 * Runs a program as if it were this process: the same terminal, signals and exit code.
 * @param {string} program
 * @param {string[]} args
 * @returns {Promise<number>}
 */
function execute(program, args) {
  const child = spawn(program, args, { stdio: 'inherit' })
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  process.on('SIGINT', () => {
    // The terminal sends Ctrl-C to both of us, and twice is often understood as "at once".
    if (!process.stdin.isTTY) child.kill('SIGINT')
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code, signal) =>
      resolve(code ?? 128 + constants.signals[/** @type {NodeJS.Signals} */ (signal)])
    )
  })
}

main().catch(error => {
  log(error.message)
  process.exitCode = 1
})
