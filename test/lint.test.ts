// What the linter says of the code.

import { spawnSync } from 'node:child_process'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

test('the linter finds no error', () => {
  const { status, stdout, stderr } = spawnSync('node_modules/.bin/biome', ['lint', '--diagnostic-level=error'], { encoding: 'utf8' })
  assert.is(status, 0, stdout + stderr)
})

test.run()
