// Each promise of SECURITY.md names a test that holds it.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { read, root } from './markdown.ts'

/** The items of the section of promises, each with its further lines. */
function promises(): string[] {
  const [, section = ''] = read('SECURITY.md').split(/^## What is promised$/m)
  const [promised = ''] = section.split(/^## /m)
  return promised.split(/^- /m).slice(1)
}

const testsOf = (promise: string) => promise.match(/\btest\/[\w/.-]+\.test\.ts\b/g) ?? []

test('each promise of SECURITY.md names the file of a test', () => {
  assert.ok(promises().length > 15)
  assert.equal(
    promises().filter(promise => !testsOf(promise).length),
    []
  )
})

test('the tests that SECURITY.md names are there', () => {
  const named = promises().flatMap(testsOf)
  assert.equal(
    named.filter(file => !existsSync(join(root, file))),
    []
  )
})

test.run()
