// Each promise of SECURITY.md, and each section of PROTOCOL.md, names tests that hold it.

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

/** Those of the protocol, which begin with the names of tests. */
const sections = () =>
  read('lib/PROTOCOL.md')
    .split(/^#{2,3} /m)
    .slice(1)

test('each section of PROTOCOL.md begins with the files of tests', () => {
  assert.ok(sections().length > 15)
  assert.equal(
    sections().filter(section => !/^.+\n\nTests: `test\//.test(section)),
    []
  )
})

test('the tests that both name are there', () => {
  const named = [...promises(), ...sections()].flatMap(testsOf)
  assert.equal(
    named.filter(file => !existsSync(join(root, file))),
    []
  )
})

test.run()
