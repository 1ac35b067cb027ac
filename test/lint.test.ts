// What the linter and the formatter say of the code.

import { spawnSync } from 'node:child_process'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

test('the linter finds no error, and the formatter nothing to do', () => {
  const { status, stdout, stderr } = spawnSync(
    'node_modules/.bin/biome',
    ['ci', '--diagnostic-level=error'],
    { encoding: 'utf8' }
  )
  assert.is(status, 0, stdout + stderr)
})

test.run()
