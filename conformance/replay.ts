// Replays mediasoup's tests with jest, in a process of its own.

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'

import { startNode } from './processes.ts'
import type { Release } from './release.ts'
import { PATIENCE_MS } from './stage.ts'
import type { Site } from './tiers/index.ts'

export interface TestResult {
  file: string
  /** The test's name, with a number when the file has several of that name. */
  test: string
  status: 'passed' | 'failed' | 'skipped'
  /** Why it failed. */
  message?: string
}

export interface Replay {
  results: TestResult[]
  /** Files that could not be run, and why. */
  broken: { file: string; message: string }[]
  seconds: number
}

interface Options {
  release: Release
  /** The run's folder, see stage.ts. */
  folder: string
  workerBin: string
  /** The tier under test; without one, plain mediasoup. */
  site?: Site
  /** Regular expressions of test files, default all. */
  files?: readonly string[]
}

/** What jest writes with --outputFile, as far as it is read here. */
interface JestReport {
  testResults: {
    name: string
    message: string
    assertionResults: { fullName: string; status: string; failureMessages: string[] }[]
  }[]
}

export async function replay({
  release,
  folder,
  workerBin,
  site,
  files = []
}: Options): Promise<Replay> {
  // A folder for each tier: jest (30.5) insists on finding its config from the working directory
  // even when told where it is.
  const cwd = join(folder, 'runs', site?.tier.replaceAll(/\W+/g, '-') ?? 'baseline')
  const output = join(cwd, 'output.json')
  await mkdir(cwd, { recursive: true })
  await writeFile(join(cwd, 'jest.config.json'), JSON.stringify(jestConfig(folder, site)))
  const jest = join(release.packages.get('jest') ?? '', 'bin/jest.js')
  const started = performance.now()
  const { lines, errors, exited } = startNode([jest, '--json', '--outputFile', output, ...files], {
    cwd,
    env: { ...process.env, MEDIASOUP_WORKER_BIN: workerBin, FORCE_COLOR: '0' }
  })
  await exited
  const seconds = (performance.now() - started) / 1000
  const report = await readFile(output, 'utf8').catch(() => undefined)
  if (report === undefined)
    return {
      results: [],
      broken: [
        { file: 'jest', message: ['it ended without results', ...lines, ...errors].join('\n') }
      ],
      seconds
    }
  // The folder is gone when the report is read.
  return { ...parse(JSON.parse(report.replaceAll(`${folder}/`, ''))), seconds }
}

function jestConfig(folder: string, site?: Site): object {
  const tests = join(folder, 'mediasoup/node/lib/test')
  const patience = join(folder, 'patience.cjs')
  const common = {
    rootDir: folder,
    roots: [tests],
    testMatch: ['**/test-*.js'],
    transform: {},
    watchman: false,
    maxWorkers: 2,
    testTimeout: PATIENCE_MS,
    setupFilesAfterEnv: [patience]
  }
  if (!site) return common
  return {
    ...common,
    globals: { conformanceSite: site },
    // Only tests import the module by this name; mediasoup's own files import each other by file
    // name.
    moduleNameMapper: { '^\\.\\./$': join(folder, 'tier.cjs') },
    setupFiles: [join(folder, 'setup.cjs')],
    setupFilesAfterEnv: [patience, join(folder, 'teardown.cjs')]
  }
}

function parse({ testResults }: JestReport): Pick<Replay, 'results' | 'broken'> {
  const results: TestResult[] = []
  const broken: Replay['broken'] = []
  for (const { name, message, assertionResults } of testResults) {
    const file = basename(name)
    const seen = new Map<string, number>()
    if (!assertionResults.length) broken.push({ file, message })
    for (const { fullName, status, failureMessages } of assertionResults) {
      const count = (seen.get(fullName) ?? 0) + 1
      seen.set(fullName, count)
      results.push({
        file,
        test: count === 1 ? fullName : `${fullName} (${count})`,
        status: status === 'passed' || status === 'failed' ? status : 'skipped',
        ...(failureMessages.length ? { message: failureMessages.join('\n') } : {})
      })
    }
  }
  return { results, broken }
}
