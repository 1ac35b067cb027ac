// dist/: what the npm package ships.

import {
  chmodSync,
  copyFileSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync
} from 'node:fs'
import { join, resolve } from 'node:path'
import { bundles } from '../conformance/bundles.mjs'
import { licensesOf } from './licenses.mjs'
import { run, tail } from '../server/worker/commands.mjs'

const ENTRIES = {
  index: 'index.ts',
  client: 'client/index.ts',
  server: 'server/index.ts',
  proxy: 'proxy/index.ts',
  registry: 'registry/index.ts',
  conformance: 'conformance/index.ts',
  register: 'register/index.ts',
  mafalda: 'mafalda.ts'
}
// All else is a source, so that a new directory cannot be forgotten.
const NO_SOURCES = ['node_modules', 'dist', 'docs', 'coverage', 'test', 'examples']

/** @param {(line: string) => void} log */
export async function bundle(log) {
  await update('dist/index.js', async () => {
    log('Bundling dist/: a source is newer than it')
    const { build } = await import('esbuild') // not before it is installed
    const { metafile } = await build({
      entryPoints: ENTRIES,
      outdir: 'dist',
      bundle: true,
      // A class must be the same class whichever entry it is imported from.
      splitting: true,
      format: 'esm',
      platform: 'node',
      target: 'node22',
      packages: 'external',
      // Finds its recipe beside itself, so it is shipped as it is. (Only an absolute path makes
      // esbuild adapt the import.)
      external: [resolve('server/worker/index.mjs')],
      sourcemap: true,
      metafile: true,
      logLevel: 'silent' // What it would print is in the error.
    })
    await build({ ...bundles, outdir: 'dist/conformance', logLevel: 'silent' })
    await bundlePages()
    for (const file of readdirSync('dist')) {
      if (
        /\.js(\.map)?$/.test(file) &&
        !file.startsWith('browser.js') &&
        !metafile.outputs[`dist/${file}`]
      )
        rmSync(join('dist', file), { force: true })
    }
    chmodSync('dist/mafalda.js', 0o755)
  })
}

/** For browsers, with all that they import: the client of dashboards, and the monitor's page. */
async function bundlePages() {
  const { build } = await import('esbuild')
  const options = /** @type {const} */ ({
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    legalComments: 'eof',
    metafile: true,
    logLevel: 'silent'
  })
  const client = await build({
    ...options,
    entryPoints: { browser: 'browser/index.ts' },
    outdir: 'dist'
  })
  const page = await build({
    ...options,
    entryPoints: ['monitor/monitor.tsx', 'monitor/monitor.css'],
    outdir: 'dist/monitor',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    minify: true
  })
  for (const file of ['index.html', 'icon.svg'])
    copyFileSync(join('monitor', file), join('dist/monitor', file))
  writeFileSync('dist/LICENSES.txt', licensesOf([client.metafile, page.metafile]))
}

/** @param {(line: string) => void} log */
export async function declare(log) {
  await update('dist/types/index.d.ts', async () => {
    log('Type checking, and writing declarations to dist/types/: a source is newer than they are')
    rmSync('dist/types', { recursive: true, force: true })
    const { status, output } = await run('node_modules/.bin/tsc', ['-p', 'tsconfig.build.json'])
    if (status !== 0) throw new Error(`The sources must type check:\n${tail(output, 60)}`)
  })
}

/**
 * Makes `output` when a source is newer. A source that changes meanwhile is newer than what was
 * made.
 * @param {string} output
 * @param {() => Promise<void>} make
 */
async function update(output, make) {
  const now = new Date()
  const sources = readdirSync('.').filter(
    name => !name.startsWith('.') && !NO_SOURCES.includes(name)
  )
  const newest = Math.max(...sources.flatMap(files).map(modified))
  if (modified(output) >= newest) return
  await make()
  utimesSync(output, now, now)
}

const modified = (/** @type {string} */ path) =>
  statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0

/** Directories count too: their time changes when a file comes or goes. */
const files = (/** @type {string} */ path) =>
  statSync(path, { throwIfNoEntry: false })?.isDirectory()
    ? [
        path,
        ...readdirSync(path, { recursive: true, encoding: 'utf8' }).map(file => join(path, file))
      ]
    : [path]
