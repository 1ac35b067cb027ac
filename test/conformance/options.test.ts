// The commands that test the product: what they cannot run, they do not pass over.

import { spawnSync } from 'node:child_process'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

const wrong: [command: string, options: string[], sentence: RegExp][] = [
  [
    'conformance/fuzz/run.ts',
    ['--target', 'nope'],
    /^--target must be one of leaf, .*client \(got nope\)$/m
  ],
  [
    'conformance/fuzz/run.ts',
    ['--frames', 'many'],
    /^--frames must be a whole number from 1 up \(got many\)$/m
  ],
  ['conformance/fuzz/run.ts', ['--seed', '1.5'], /^--seed must be a whole number \(got 1.5\)$/m],
  [
    'test/load/index.ts',
    ['--sessions', '1'],
    /^--sessions must be a whole number from 2 up \(got 1\)$/m
  ],
  [
    'test/load/index.ts',
    ['--objects', '100'],
    /^--objects must be a whole number, at least 12 for each session \(got 100\)$/m
  ],
  [
    'test/load/index.ts',
    ['--tree', 'nope'],
    /^--tree must be one of leaf, cluster, aggregated \(got nope\)$/m
  ],
  [
    'test/chaos/index.ts',
    ['--tree', 'nope'],
    /^--tree must be one of leaf, .*three-levels \(got nope\)$/m
  ],
  ['test/chaos/index.ts', ['--nope'], /^Unknown option '--nope'/m]
]

for (const [command, options, sentence] of wrong) {
  test(`${command} ${options.join(' ')} is wrong usage`, () => {
    const { status, stderr } = spawnSync(process.execPath, [command, ...options], {
      encoding: 'utf8'
    })
    assert.match(stderr, sentence)
    assert.is(status, 2)
  })
}

test.run()
