// The bill of materials that a release has beside it.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import packageJson from '../../package.json' with { type: 'json' }

interface Locked {
  version: string
  integrity: string
  dependencies?: Record<string, string>
}

const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
  packages: Record<string, Locked>
}

/** The place of a package in node_modules, seen from another one: the nearest wins. */
function resolve(name: string, from: string): string {
  for (let folder = from; ; folder = folder.replace(/(^|\/)node_modules\/(@[^/]+\/)?[^/]+$/, '')) {
    const path = `${folder}${folder && '/'}node_modules/${name}`
    if (packages[path]) return path
    if (!folder) throw new Error(`the lock file must have ${name}, which ${from} needs`)
  }
}

/** All that is needed from there, by places in node_modules. */
function needed(names: string[], from = '', found = new Set<string>()) {
  for (const path of names.map(name => resolve(name, from))) {
    if (found.has(path)) continue
    found.add(path)
    needed(Object.keys(packages[path]!.dependencies ?? {}), path, found)
  }
  return found
}

test('it lists the packages that a host runs, mediasoup with them, with their hashes, and no other', () => {
  const { bomFormat, metadata, components } = JSON.parse(
    execFileSync(process.execPath, ['build/sbom.mjs'], { encoding: 'utf8' })
  )
  assert.is(bomFormat, 'CycloneDX')
  assert.is(metadata.component.name, packageJson.name)
  assert.is(metadata.component.version, packageJson.version)
  const names = [
    ...Object.keys(packageJson.dependencies),
    ...Object.keys(packageJson.peerDependencies)
  ]
  const expected = [...needed(names)].map(
    path => `${path.replace(/.*node_modules\//, '')}@${packages[path]!.version}`
  )
  assert.ok(expected.length > names.length)
  const listed = components as { name: string; version: string; hashes: unknown[] }[]
  assert.equal(
    listed.map(({ name, version }) => `${name}@${version}`).toSorted(),
    expected.toSorted()
  )
  for (const { name, hashes } of listed) assert.is(hashes.length, 1, name)
})

test.run()
