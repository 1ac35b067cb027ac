// The rooms of the product: what each may import, and that nothing is above and below itself, types included.

import { globSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

/** What each room imports, beside itself. */
const ROOMS: Record<string, readonly string[]> = {
  lib: [],
  client: ['lib'],
  proxy: ['lib'],
  browser: ['lib'],
  monitor: ['lib', 'browser'],
  server: ['lib'],
  registry: ['lib'],
  register: ['lib', 'client', 'server'],
  cli: ['lib', 'client', 'proxy', 'server', 'conformance', 'registry']
}

const files = Object.keys(ROOMS).flatMap(room => globSync(`${room}/**/*.{ts,tsx,mjs}`))

/** The project's own files that each file imports. */
const imports = new Map(files.map(file => [file, importsOf(file)]))

function importsOf(file: string): string[] {
  const specifiers = readFileSync(file, 'utf8').matchAll(/\b(?:from|import)\s*\(?\s*'(\.[^']+)'/g)
  return [...specifiers].map(([, specifier]) => posix.join(posix.dirname(file), specifier!))
}

/** A path of imports that comes back to where it began. */
function circle(): string[] | undefined {
  const done = new Set<string>()
  const visit = (file: string, path: string[]): string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file]
    if (done.has(file)) return undefined
    for (const next of imports.get(file) ?? []) {
      const found = visit(next, [...path, file])
      if (found) return found
    }
    done.add(file)
    return undefined
  }
  for (const file of files) {
    const found = visit(file, [])
    if (found) return found
  }
  return undefined
}

test('no file of the product imports itself by way of others', () => {
  assert.equal(circle()?.join(' → '), undefined)
})

test('a room imports only those below it', () => {
  const wrong = files.flatMap(file => {
    const [room] = file.split('/') as [string]
    const rooms = imports.get(file)!.map(path => path.split('/')[0]!)
    return rooms
      .filter(
        other => Object.hasOwn(ROOMS, other) && other !== room && !ROOMS[room]!.includes(other)
      )
      .map(other => `${file} imports ${other}`)
  })
  assert.equal(wrong, [])
})

test.run()
