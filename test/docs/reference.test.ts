// The tables of the documents have what the product has: options, limits, codes, errors, messages.

import { globSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import * as client from '../../client/index.ts'
import { closeCodes, codes } from '../../lib/errors.ts'
import { limitDefaults } from '../../server/serve/limits.ts'
import { cleanUp, run } from '../helper.ts'
import { documents, read } from './markdown.ts'

cleanUp(test)

const operating = read('docs/operating.md')
const security = read('docs/security.md')

/** The cells of the rows of all tables, without their marks. */
const rowsOf = (markdown: string) =>
  markdown
    .split('\n')
    .filter(line => line.startsWith('|'))
    .map(line =>
      line
        .split('|')
        .slice(1, -1)
        .map(cell => cell.trim())
    )

test('each option of `mafalda serve` is in the table of docs/operating.md', async () => {
  const { exited, lines } = run(['serve', '--help'])
  await exited
  const options = lines.flatMap(line => /^ {2}(?:-\w, )?(--[a-z-]+)/.exec(line)?.[1] ?? [])
  assert.ok(options.length > 20)
  const told = rowsOf(operating).flatMap(([cell = '']) => cell.match(/--[a-z-]+/g) ?? [])
  const ofAll = ['--help', '--version']
  assert.equal(
    options.filter(option => ![...told, ...ofAll].includes(option)),
    []
  )
  const [table = ''] = operating.split('## The worker')
  const column = rowsOf(table).flatMap(([cell = '']) => cell.match(/--[a-z][a-z-]+/g) ?? [])
  assert.equal(
    column.filter(option => !options.includes(option)),
    []
  )
})

const MEBIBYTE = 1024 * 1024

test('each limit is in the table of docs/security.md, with its default', () => {
  const told = new Map<string, string | undefined>()
  for (const [name = '', value] of rowsOf(security)) told.set(name.replaceAll('`', ''), value)
  for (const [name, value] of Object.entries(limitDefaults)) {
    const text = name.startsWith('bytes') ? `${value / MEBIBYTE} MiB` : value.toLocaleString('en')
    assert.is(told.get(name), text, name)
  }
})

test('each code of an error is in docs/operating.md and in lib/PROTOCOL.md', () => {
  for (const [name, code] of Object.entries(codes)) {
    assert.match(operating, String(code), name)
    assert.match(read('lib/PROTOCOL.md'), String(code), name)
  }
  const { normal, abnormal, internalError, ...ours } = closeCodes
  for (const [name, code] of Object.entries(ours)) assert.match(operating, String(code), name)
})

test('each class of errors is explained in docs/operating.md and named in docs/api.md', () => {
  const names = Object.entries(client)
    .filter(([, value]) => Object(value).prototype instanceof Error)
    .map(([name]) => name)
  assert.ok(names.length >= 8)
  const explained = rowsOf(operating).map(([cell = '']) => cell)
  for (const name of names) {
    assert.ok(explained.includes(`\`${name}\``), name)
    assert.match(read('docs/api.md'), `\`${name}\``)
  }
})

const sources = globSync('{lib,client,server,proxy,cli}/**/*.{ts,mjs}').map(read).join('\n')

/** The names in a declaration of the product: an interface, or a type of an object. */
function membersOf(declared: string): string[] {
  const head = `^export (?:interface|type) ${declared}\\b`
  const declaration = new RegExp(`${head}.*\\{\\n([^]*?)^\\}`, 'm')
  const [, body = ''] = declaration.exec(sources) ?? []
  const members = /^ {2}(?:readonly )?(\w+)\??(?:: |\()/gm
  const names = [...body.matchAll(members)].map(([, name = '']) => name)
  assert.ok(names.length > 0, `${declared} is gone`)
  return names
}

const DECLARATIONS = [
  'ClientOptions',
  'RemoteOptions',
  'SocketOptions',
  'LeafOptions',
  'HostRules',
  'ServeOptions',
  'TokenOptions',
  'HorizontalOptions',
  'VerticalOptions',
  'Load',
  'Connection',
  'ConnectionEvents',
  'HorizontalEvents',
  'RemoteMediasoupClientEvents'
]

for (const declared of DECLARATIONS) {
  test(`each member of ${declared} is in docs/api.md`, () => {
    const named = read('docs/api.md')
      .match(/`[^`\n]*`/g)!
      .join()
    const isNamed = (name: string) => new RegExp(`\\b${name}\\b`).test(named)
    assert.equal(
      membersOf(declared).filter(name => !isNamed(name)),
      []
    )
  })
}

test('what the documents quote of messages and logs is what the product says', () => {
  const tables = ['Messages that people meet', 'Logs are JSON lines']
  const rows = tables.flatMap(tableAfter)
  const quoted = rows.flatMap(([cell = '']) => cell.match(/`[^`]*`/g) ?? [])
  assert.ok(quoted.length > 20)
  const pieces = quoted.flatMap(text => text.slice(1, -1).split('…')).filter(each => each.trim())
  assert.equal(
    pieces.filter(piece => !sources.includes(piece)),
    []
  )
})

/** The rows of the first table after a sentence. */
function tableAfter(sentence: string): string[][] {
  const [, after] = operating.split(sentence)
  assert.ok(after, sentence)
  const [, table = ''] = /\n((?:\|.*\n)+)/.exec(after) ?? []
  return rowsOf(table).slice(2)
}

test('no document names a file of the project that is gone', () => {
  const path = /`(?:lib|client|server|proxy|cli|conformance|test|examples|docs)\/[\w./-]+\.\w+`/g
  const found = documents.flatMap(file => read(file).match(path) ?? [])
  const paths = found.map(text => text.slice(1, -1))
  assert.ok(paths.length > 3)
  assert.equal(
    [...new Set(paths)].filter(each => !globSync(each).length),
    []
  )
})

test.run()
