// What is ended by a signal leaves no process behind.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { afterTest, cleanUp } from '../helper.ts'
import { end, familyOf, isAlive, startNode } from './processes.ts'
import { until } from './until.ts'

cleanUp(test)

const COVERAGE = join(tmpdir(), `mafalda-coverage-${process.pid}`)
const conformance = ['dist/mafalda.js', 'conformance', '--tiers', 'leaf']

const CASES: [signal: NodeJS.Signals, ...command: string[]][] = [
  ['SIGTERM', ...conformance],
  ['SIGINT', ...conformance],
  ['SIGKILL', ...conformance],
  ['SIGTERM', 'conformance/fuzz/run.ts', '--target', 'cluster'],
  ['SIGTERM', 'test/run.ts', 'load/load'],
  ['SIGKILL', 'test/run.ts', 'load/load'],
  ['SIGTERM', 'build.mjs', 'load', '--sessions', '4', '--objects', '100'],
  ['SIGTERM', 'test/chaos/index.ts', '--tree', 'cluster', '--no-namespaces'],
  ['SIGTERM', 'test/bench/index.ts', 'calls', '--json', '/dev/null']
]

for (const [signal, ...command] of CASES) {
  test(`${signal} ends ${command.slice(0, 2).join(' ')} and all that it started`, async () => {
    // Other tests, which run beside it, make folders, too.
    const temporary = mkdtempSync(join(tmpdir(), 'mafalda-ended-'))
    afterTest(() => rmSync(temporary, { recursive: true, force: true }))
    const { child } = startNode(command, {
      env: { ...process.env, COVERAGE, TMPDIR: temporary }
    })
    afterTest(() => end(child, 'SIGKILL'))
    const family = await until(() => {
      const pids = familyOf(child.pid!)
      // A process that serves, one that calls, and a worker.
      return pids.length > 3 && pids
    })
    await end(child, signal)
    await until(() => !family.some(isAlive))
    if (signal !== 'SIGKILL')
      assert.equal(
        readdirSync(temporary).filter(name => name.startsWith('mafalda-conformance-')),
        []
      )
  })
}

test.after(() => rmSync(COVERAGE, { recursive: true, force: true }))

test.run()
