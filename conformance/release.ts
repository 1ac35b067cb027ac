// The mediasoup release whose tests are replayed: the installed one, one in a folder, or a version
// that npm installs in a folder of its own, together with the packages that its tests need.

import { execFile } from 'node:child_process'
import { existsSync, readFileSync, readdirSync, realpathSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { cacheDirectory } from '../server/worker/cache.mjs'

export interface Release {
  version: string
  /** The package's folder. */
  folder: string
  /** Folder of every package that the release and its tests import, and of jest. */
  packages: Map<string, string>
}

interface Manifest {
  version: string
  dependencies?: Record<string, string>
  devDependencies?: Record<string, string>
}

const here = dirname(fileURLToPath(import.meta.url))

/**
 * Finds (or installs) a mediasoup and what its tests need. `wanted` is a version or a package's
 * folder.
 */
export async function findRelease(wanted?: string): Promise<Release> {
  const folder = await findFolder(wanted)
  const { version, dependencies = {}, devDependencies = {} } = manifest(folder)
  const names = ['jest', ...Object.keys(dependencies), ...testImports(folder)]
  const tools = cache(version)
  const missing = names.filter(name => !locate(name, folder, here, tools))
  if (missing.length)
    await install(
      tools,
      missing.map(name => `${name}@${devDependencies[name] ?? 'latest'}`)
    )
  return {
    version,
    folder,
    packages: new Map(names.map(name => [name, found(name, folder, here, tools)]))
  }
}

/** The folder of the release alone, without what its tests need. */
export async function findFolder(wanted?: string): Promise<string> {
  const installed = locate('mediasoup', here)
  if (!wanted || (installed && manifest(installed).version === wanted))
    return found('mediasoup', here)
  if (isAbsolute(wanted) || existsSync(join(wanted, 'package.json')))
    return realpathSync(resolve(wanted))
  if (!/^\d+\.\d+\.\d+/.test(wanted))
    throw new TypeError(
      `mediasoup must be a version, like 3.27.1, or a package's folder (got ${wanted})`
    )
  const folder = cache(wanted)
  if (!locate('mediasoup', folder)) await install(folder, [`mediasoup@${wanted}`])
  return found('mediasoup', folder)
}

/** The version of mediasoup that this package depends on. */
export function installedVersion(): string {
  return manifest(found('mediasoup', here)).version
}

export function manifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
}

/** The test files of a release, by name. */
export function testFiles(folder: string): string[] {
  return readdirSync(join(folder, 'node/lib/test')).filter(name => /^test-.*\.js$/.test(name))
}

function testImports(folder: string): string[] {
  const sources = testFiles(folder).map(name =>
    readFileSync(join(folder, 'node/lib/test', name), 'utf8')
  )
  const names = sources.flatMap(source =>
    [...source.matchAll(/\brequire\("([^."][^"]*)"\)/g)].map(match => match[1] ?? '')
  )
  return [...new Set(names)].filter(name => !name.startsWith('node:'))
}

// By hand and not with require.resolve(), which refuses packages whose `exports` hide their
// package.json.
function locate(name: string, ...origins: string[]): string | undefined {
  for (const origin of origins) {
    for (let folder = origin; ; folder = dirname(folder)) {
      const candidate = join(folder, 'node_modules', name)
      if (basename(folder) !== 'node_modules' && existsSync(join(candidate, 'package.json')))
        return realpathSync(candidate)
      if (folder === dirname(folder)) break
    }
  }
  return undefined
}

function found(name: string, ...origins: string[]): string {
  const folder = locate(name, ...origins)
  if (!folder)
    throw new Error(`package ${name} is not installed (looked upwards from ${origins.join(', ')})`)
  return folder
}

function cache(version: string): string {
  return join(cacheDirectory(), 'conformance', version)
}

// Install scripts stay off: mediasoup's would download or build a worker, which is findWorker()'s
// task.
async function install(folder: string, packages: string[]): Promise<void> {
  await mkdir(folder, { recursive: true })
  if (!existsSync(join(folder, 'package.json')))
    await writeFile(join(folder, 'package.json'), '{ "private": true }\n')
  await promisify(execFile)(
    'npm',
    ['install', '--ignore-scripts', '--no-audit', '--no-fund', ...packages],
    { cwd: folder }
  )
}
