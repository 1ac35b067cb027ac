// A conformance run: the baseline, then one tier after another, because all of them use the ports
// of this machine.

import { join } from 'node:path'

import { findWorker } from '../server/worker/index.mjs'
import { addBundles } from './bundle.ts'
import { Hosts } from './hosts.ts'
import { findRelease, installedVersion, type Release } from './release.ts'
import { replay, type Replay } from './replay.ts'
import { reportBaseline, reportError, reportTier, type Report, type TierReport } from './report.ts'
import { DATA, stage } from './stage.ts'
import { tiers as adapters, type Site } from './tiers/index.ts'

export interface ConformanceOptions {
  /** Names of the tiers to test (see `tiers`). Default: all, or none if `urls` are given. */
  tiers?: readonly string[]
  /** URLs of running tiers to test. */
  urls?: readonly string[]
  /**
   * A version of mediasoup, which npm installs in a folder of its own, or a package's folder.
   * Default: the installed one.
   */
  mediasoup?: string
  /**
   * A mediasoup-worker of that version. Default: for the installed one MEDIASOUP_WORKER_BIN, else
   * one is found, downloaded or built.
   */
  workerBin?: string
  /**
   * Each connection, to a tier and between tiers, breaks when it is about so old, in s. Default:
   * none does.
   */
  cut?: number
  /** Parts of names of test files, to run only those. */
  files?: readonly string[]
  /** Is told what happens, line by line. */
  log?: (line: string) => void
}

/**
 * Replays mediasoup's own tests, unmodified, on plain mediasoup and on tiers. A tier conforms when
 * every test that passes on plain mediasoup passes on it.
 *
 * @example
 * ```ts
 * const report = await conformance({ urls: ['ws://127.0.0.1:4443'] })
 * console.log(formatReport(report))
 * process.exitCode = report.conforms ? 0 : 1
 * ```
 */
export async function conformance(options: ConformanceOptions = {}): Promise<Report> {
  const { urls = [], files = [], cut, log = () => {} } = options
  const names = options.tiers ?? (urls.length ? [] : namesOf(cut))
  const release = await findRelease(options.mediasoup)
  const workerBin = options.workerBin ?? (await workerOf(release, log))
  const { folder, close } = await stage(release)
  try {
    const run = (site?: Site) => {
      log(
        `replaying the tests of mediasoup ${release.version} on ${site?.tier ?? 'plain mediasoup'}`
      )
      return replay({ release, folder, workerBin, files, ...(site ? { site } : {}) })
    }
    const baseline = await run()
    const tiers: TierReport[] = []
    const tested = baseline.results.length ? [...names, ...urls] : []
    const script = join(folder, 'host.cjs')
    const hosts = () => new Hosts({ script, workerBin, files: join(folder, DATA), cut })
    if (tested.length) await addBundles(folder)
    for (const tier of tested) tiers.push(await testTier(tier, baseline, hosts(), run))
    const report = {
      mediasoup: release.version,
      node: process.versions.node,
      workerBin,
      baseline: reportBaseline(baseline),
      tiers
    }
    return {
      ...report,
      conforms: !report.baseline.error && tiers.every(({ conforms }) => conforms)
    }
  } finally {
    await close()
  }
}

// Those that run inside jest have no connections that could be cut.
const namesOf = (cut?: number) =>
  Object.keys(adapters).filter(name => cut === undefined || adapters[name]!.served)

type Run = (site: Site) => Promise<Replay>

async function testTier(
  tier: string,
  baseline: Replay,
  hosts: Hosts,
  run: Run
): Promise<TierReport> {
  const about = adapters[tier]?.about ?? 'a tier that was running'
  try {
    const replay = await run(await hosts.prepare(tier))
    return reportTier(tier, about, baseline, replay, hosts.connections)
  } catch (error) {
    return reportError(tier, about, error)
  } finally {
    await hosts.close()
  }
}

// A worker that the environment names is that of the installed mediasoup, and of no other.
async function workerOf(
  { version, folder }: Release,
  log: (line: string) => void
): Promise<string> {
  const { MEDIASOUP_WORKER_BIN, ...env } = process.env
  if (MEDIASOUP_WORKER_BIN && installedVersion() === version) return MEDIASOUP_WORKER_BIN
  return findWorker({ mediasoup: folder, log, env })
}
