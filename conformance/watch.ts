// Looks for a new release of mediasoup, and compares it with what is described and served here.

import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'

import { type Drift, drift } from './drift/index.ts'
import { installedVersion } from './release.ts'
import type { Report } from './report.ts'
import { type ConformanceOptions, conformance } from './run.ts'

export interface WatchOptions
  extends Pick<ConformanceOptions, 'tiers' | 'files' | 'workerBin' | 'log'> {
  /** Where releases are looked up, and installed from. Default: the registry that npm is set to. */
  registry?: string
  /** A file that keeps which releases were seen. It need not be there. */
  seen: string
}

/** What a release differs in, or why that could not be found out. */
type Outcome<T> = T | { error: string }

export interface Watch {
  /** The newest release. */
  mediasoup: string
  /** That of this installation. */
  installed: string
  /** Absent when the release was seen before, or is the installed one. */
  found?: { drift: Outcome<Drift>; conformance: Outcome<Report>; differs: boolean }
}

/**
 * Looks up the newest release of mediasoup. If it was not seen before, compares its API with the
 * model, and replays its tests on tiers. What cannot be done with the release is a difference.
 * Rejects when it cannot be looked up.
 *
 * @example
 * ```ts
 * const watch = await watchReleases({ seen: 'seen.json' })
 * if (watch.found?.differs) console.log(formatWatch(watch))
 * ```
 */
export async function watchReleases(options: WatchOptions): Promise<Watch> {
  const { registry, seen: file, log = () => {}, ...rest } = options
  // Also for what is installed on the way.
  if (registry) process.env.npm_config_registry = registry
  const [mediasoup, installed, seen] = [
    await newestVersion(),
    installedVersion(),
    await seenIn(file)
  ]
  if (mediasoup === installed || seen.includes(mediasoup)) {
    log(`mediasoup ${mediasoup} is not new`)
    return { mediasoup, installed }
  }
  log(`mediasoup ${mediasoup} is new`)
  const api = await outcomeOf(drift(mediasoup))
  const tests = await outcomeOf(conformance({ ...rest, mediasoup, log }))
  const differs = 'error' in api || api.entries.length > 0 || 'error' in tests || !tests.conforms
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, `${JSON.stringify([...seen, mediasoup], null, 2)}\n`)
  return { mediasoup, installed, found: { drift: api, conformance: tests, differs } }
}

async function newestVersion(): Promise<string> {
  const { stdout } = await promisify(execFile)('npm', ['view', 'mediasoup', 'version', '--json'])
  const version: unknown = JSON.parse(stdout)
  if (typeof version === 'string' && /^\d+\.\d+\.\d+/.test(version)) return version
  throw new Error(`the registry must know a version of mediasoup (it answered ${stdout.trim()})`)
}

async function seenIn(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '[]'
    throw error
  })
  const seen: unknown = JSON.parse(text)
  if (Array.isArray(seen) && seen.every(version => typeof version === 'string')) return seen
  throw new Error(`${file} must be a list of versions, as this command writes it`)
}

const outcomeOf = <T>(promise: Promise<T>): Promise<Outcome<T>> =>
  promise.catch((error: Error) => ({ error: error.message }))
