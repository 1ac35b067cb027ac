// A run's own folder: a copy of mediasoup with the files that its tarball leaves out, links to the
// packages it needs, and what jest loads. It is laid out so that Node's usual resolution finds the
// copy from everywhere.
//
//     mediasoup/             the copy: package.json and node/
//     node_modules/          links: mediasoup to the copy, and the packages that it and its tests need
//     adapter.cjs host.cjs   bundles, if tiers are tested (see bundles.mjs)
//     tier.cjs setup.cjs …   what jest.config's fields point to

import { rmSync } from 'node:fs'
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import { certificate } from './certificate.ts'
import { manifest, type Release } from './release.ts'

/** Where, in the folder of a run, the files are that its tests read. */
export const DATA = 'mediasoup/node/lib/test/data'

export interface Stage {
  folder: string
  close(): Promise<void>
}

/** Makes the folder of a run. */
export async function stage(release: Release): Promise<Stage> {
  const folder = await mkdtemp(join(tmpdir(), 'mafalda-conformance-'))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  process.once('exit', remove)
  await copyMediasoup(release, join(folder, 'mediasoup'))
  await linkPackages(release, join(folder, 'node_modules'))
  for (const [name, text] of Object.entries(glue)) await writeFile(join(folder, name), text)
  return {
    folder,
    async close() {
      process.off('exit', remove)
      await rm(folder, { recursive: true, force: true })
    }
  }
}

/** How long a test of mediasoup may take at least. */
export const PATIENCE_MS = 60_000

// jest awaits a function that a setup file exports, so a session is open before the test file is
// loaded.
const glue = {
  'setup.cjs': "module.exports = () => require('./adapter.cjs').open(globalThis.conformanceSite)\n",
  'tier.cjs': "module.exports = require('./adapter.cjs').mediasoup()\n",
  // Tests with a bound of 2 s fail on a machine that is busy, whatever they test.
  'patience.cjs': `const { test } = globalThis
globalThis.test = Object.assign((name, run, ms = 0) => test(name, run, Math.max(ms, ${PATIENCE_MS})), test)
`,
  'teardown.cjs': "afterAll(() => require('./adapter.cjs').close())\n"
}

async function copyMediasoup(release: Release, folder: string): Promise<void> {
  const declarations = /\.d\.ts$|\.map$/
  await cp(join(release.folder, 'node'), join(folder, 'node'), {
    recursive: true,
    filter: source => !declarations.test(source)
  })
  await writeFile(
    join(folder, 'package.json'),
    JSON.stringify(withExports(manifest(release.folder)))
  )
  const data = join(folder, '..', DATA)
  const { cert, key } = certificate('mafalda conformance')
  await mkdir(data, { recursive: true })
  await writeFile(join(data, 'dtls-cert.pem'), cert)
  await writeFile(join(data, 'dtls-key.pem'), key)
}

// Older releases do not export all the modules that the client imports, and none exports the
// classes that channel.ts uses.
function withExports(manifest: object): object {
  const names = ['types', 'errors', 'ortc', 'extras']
  const modules = names.map(name => [`./${name}`, `./node/lib/${name}.js`])
  return {
    ...manifest,
    exports: {
      '.': './node/lib/index.js',
      ...Object.fromEntries(modules),
      './node/lib/*': './node/lib/*'
    }
  }
}

async function linkPackages(release: Release, folder: string): Promise<void> {
  for (const [name, target] of release.packages) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await symlink(target, join(folder, name), 'dir')
  }
  await symlink('../mediasoup', join(folder, 'mediasoup'), 'dir')
}
