// The drift check, on the installed release and on copies of it that were tampered with.

import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { drift, formatDrift } from '../../conformance/index.ts'
import { findFolder } from '../../conformance/release.ts'

const folders: string[] = []

/** A copy of the installed mediasoup, whose files are changed as `edits` say. */
async function doctored(edits: Record<string, (text: string) => string>): Promise<string> {
  const installed = await findFolder()
  const folder = mkdtempSync(join(tmpdir(), 'mafalda-drift-'))
  folders.push(folder)
  for (const name of ['package.json', 'node'])
    cpSync(join(installed, name), join(folder, name), { recursive: true })
  symlinkSync(dirname(installed), join(folder, 'node_modules'))
  for (const [name, edit] of Object.entries(edits)) {
    const file = join(folder, 'node/lib', name)
    const before = readFileSync(file, 'utf8')
    const after = edit(before)
    assert.is.not(after, before, `the edit of ${name} changes something`)
    writeFileSync(file, after)
  }
  return folder
}

test.after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

test('the model describes the installed release', async () => {
  const result = await drift()
  assert.equal(result.entries, [])
  assert.match(formatDrift(result), 'is what the model describes')
})

test('a method that a release drops is named, wherever it shows', async () => {
  const folder = await doctored({
    'ConsumerTypes.d.ts': text => text.replace('requestKeyFrame(): Promise<void>;', ''),
    'Consumer.js': text => text.replace('async requestKeyFrame()', 'async ["@requestKeyFrame"]()')
  })
  const result = await drift(folder)
  assert.equal(result.entries, [
    {
      kind: 'Consumer',
      what: 'member',
      name: 'requestKeyFrame',
      change: 'dropped',
      seen: ['types', 'runtime']
    }
  ])
  assert.match(formatDrift(result), 'dropped member Consumer.requestKeyFrame')
})

test('members and events that a release adds are named', async () => {
  const folder = await doctored({
    'WorkerTypes.d.ts': text =>
      text.replace('get pid(): number;', 'get pid(): number;\n    get nice(): number;'),
    'Worker.js': text => text.replace('get pid() {', 'get nice() { return 0 }\n    get pid() {'),
    'TransportTypes.d.ts': text =>
      text.replace(
        'export type TransportEvents = {',
        'export type TransportEvents = {\n    full: [];'
      )
  })
  const { entries } = await drift(folder)
  const added = entries.map(({ kind, name, what, change }) => `${change} ${what} ${kind}.${name}`)
  assert.equal(added.toSorted(), [
    'added event DirectTransport.full',
    'added event PipeTransport.full',
    'added event PlainTransport.full',
    'added event WebRtcTransport.full',
    'added member Worker.nice'
  ])
})

test('a getter that becomes a method, and an event that another emitter emits, are changes', async () => {
  const folder = await doctored({
    'ProducerTypes.d.ts': text =>
      text.replace('get score(): ProducerScore[];', 'score(): Promise<ProducerScore[]>;'),
    'ConsumerTypes.d.ts': text =>
      text
        .replace('producerpause: [];', '')
        .replace('ConsumerObserverEvents = {', 'ConsumerObserverEvents = {\n    producerpause: [];')
  })
  const { entries } = await drift(folder)
  assert.equal(entries, [
    {
      kind: 'Producer',
      what: 'member',
      name: 'score',
      change: 'changed',
      model: 'property',
      release: 'async method',
      seen: ['types']
    },
    {
      kind: 'Consumer',
      what: 'event',
      name: 'producerpause',
      change: 'changed',
      model: 'self',
      release: 'observer',
      seen: ['types']
    }
  ])
})

test('a class of errors that a release has no more, or has under another name, is named', async () => {
  const folder = await doctored({
    'errors.js': text => text.replaceAll('WorkerClosedError', 'InvalidStateError')
  })
  const result = await drift(folder)
  assert.equal(
    result.entries.map(({ what, change, name }) => `${change} ${what} ${name}`),
    ['added error InvalidStateError', 'dropped error WorkerClosedError']
  )
})

test("a private member is nobody's business", async () => {
  const folder = await doctored({
    'RouterTypes.d.ts': text =>
      text.replace(
        'get id(): string;',
        'get id(): string;\n    /**\n     * @private\n     */\n    shuffle(): void;'
      ),
    'Router.js': text =>
      text.replace(
        'get id() {',
        'shuffle() {}\n    get stateForTesting() { return 0 }\n    get id() {'
      )
  })
  assert.equal((await drift(folder)).entries, [])
})

test('what is neither a version nor a folder is refused', async () => {
  try {
    await drift('latest')
    assert.unreachable()
  } catch (error) {
    assert.instance(error, TypeError)
    assert.match(
      (error as Error).message,
      "must be a version, like 3.27.1, or a package's folder (got latest)"
    )
  }
})

test.run()
