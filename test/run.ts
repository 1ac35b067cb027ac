// Runs every test file in a process of its own, then prints coverage and how many tests passed and
// failed.
//
//   node test/run.ts [part of a path …]

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { globSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, constants } from 'node:os'
import { resolve } from 'node:path'
import { setTimeout as setTimeoutPromise } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { PRELOAD } from '../conformance/processes.ts'

const COVERAGE = process.env.COVERAGE ?? 'coverage'
const PRODUCT = '{lib,client,server,proxy,register,cli}/**/*.{ts,mjs}'
const MAX_SECONDS = 900
// After that long, what does not end by itself is killed.
const ENDING_MS = 5_000

interface Outcome {
  file: string
  passed: number
  failed: number
  output: string
  seconds: number
}

const wanted = process.argv.slice(2)
const files = globSync('test/**/*.test.ts')
  .filter(file => !wanted.length || wanted.some(part => file.includes(part)))
  .toSorted()
rmSync(COVERAGE, { recursive: true, force: true })
mkdirSync(COVERAGE)
const STRIP = resolve('test/kit/stripped.mjs')
const STRIPPED = resolve(COVERAGE, 'stripped.json')
spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', STRIP, STRIPPED], {
  stdio: 'inherit'
})
const env = {
  ...process.env,
  NODE_V8_COVERAGE: `${COVERAGE}/tmp`,
  // Coverage of functions that come out of a cache is less exact.
  NODE_DISABLE_COMPILE_CACHE: '1',
  NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --import=${pathToFileURL(STRIP)}`,
  STRIPPED,
  NO_COLOR: '1',
  FORCE_COLOR: '0'
}

const running = new Set<ChildProcess>()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void endAll(signal))

const queue = [...files]
const outcomes: Outcome[] = []
// Tests wait now and then: one more than there are cores uses them all.
const lanes = Array.from({ length: Math.min(3, availableParallelism() + 1) }, work)
const [isTyped] = await Promise.all([wanted.length > 0 || typeCheck(), ...lanes])
report()

/** Tests and examples, too: no type error is left to whoever reads the code next. */
async function typeCheck(): Promise<boolean> {
  const tsc = spawn('node_modules/.bin/tsc', ['-p', 'tsconfig.json'], { stdio: 'inherit' })
  const [status] = await once(tsc, 'exit')
  console.log(`${status === 0 ? '✓' : '✗'} types of all sources, tests and examples`)
  return status === 0
}

async function work() {
  for (let file = queue.shift(); file; file = queue.shift()) {
    const outcome = await run(file)
    outcomes.push(outcome)
    const { passed, failed, seconds, output } = outcome
    console.log(
      `${failed ? '✗' : '✓'} ${file}: ${passed} passed${failed ? `, ${failed} failed` : ''} (${seconds.toFixed(1)} s)`
    )
    if (failed) console.log(output)
  }
}

function run(file: string): Promise<Outcome> {
  const start = performance.now()
  const child = spawn(process.execPath, ['--import', PRELOAD, file], {
    env,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    detached: true
  })
  running.add(child)
  let output = ''
  for (const stream of [child.stdout!, child.stderr!])
    stream.on('data', chunk => {
      output += chunk
    })
  const timer = setTimeout(() => {
    output += `\nkilled: a test file must end within ${MAX_SECONDS} s\n`
    signalGroup(child, 'SIGKILL')
  }, MAX_SECONDS * 1000)
  return new Promise(done =>
    child.on('close', code => {
      clearTimeout(timer)
      running.delete(child)
      done({ file, ...count(output, code), output, seconds: (performance.now() - start) / 1000 })
    })
  )
}

/** A test file, and all that it started. */
function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals) {
  try {
    process.kill(-pid!, signal)
  } catch {
    // It has ended.
  }
}

async function endAll(signal: 'SIGINT' | 'SIGTERM') {
  queue.length = 0
  const children = [...running]
  for (const child of children) signalGroup(child, 'SIGTERM')
  const ended = Promise.all(children.map(child => once(child, 'exit')))
  await Promise.race([ended, setTimeoutPromise(ENDING_MS)])
  for (const child of children) signalGroup(child, 'SIGKILL')
  process.exit(128 + constants.signals[signal])
}

// A file that ends without uvu's summary ran no test, or died: that is a failure, too.
function count(output: string, code: number | null) {
  const number = (label: string) =>
    Number(new RegExp(`^\\s*${label}:\\s+(\\d+)`, 'm').exec(output)?.[1] ?? 0)
  const [total, passed, skipped] = [number('Total'), number('Passed'), number('Skipped')]
  const failed = total - passed // uvu does not count what it skipped.
  return { passed, failed: failed || (code !== 0 || total + skipped === 0 ? 1 : 0) }
}

function report() {
  const isCovered = reportCoverage()
  const sum = (key: 'passed' | 'failed') =>
    outcomes.reduce((total, outcome) => total + outcome[key], 0)
  const failed = sum('failed') + Number(!isTyped) + Number(!isCovered)
  console.log(slowest())
  // Again, because the end of a log is what is read first.
  for (const { file, failed, output } of outcomes)
    if (failed) console.log([`✗ ${file}`, ...failuresIn(output)].join('\n'))
  console.log(`${sum('passed')} passed, ${failed} failed`)
  process.exitCode = failed || !outcomes.length ? 1 : 0
}

/** What to look at when all of it takes too long. */
function slowest(): string {
  const files = outcomes
    .toSorted((one, other) => other.seconds - one.seconds)
    .slice(0, 12)
    .map(({ file, seconds }) => `${Math.round(seconds)} s ${file}`)
  return `all took ${Math.round(performance.now() / 1000)} s; most of it: ${files.join(', ')}`
}

/** Why tests failed, in uvu's words, or the last ones of a file that died. */
function failuresIn(output: string): string[] {
  const failures = output.match(/^ {3}FAIL {2}[^]*?(?=^ {3}FAIL {2}|^ {2}Total: )/gm)
  return failures ?? output.trimEnd().split('\n').slice(-20)
}

/**
 * Of all tests together, no less may be covered than coverage.json says, whose numbers only rise.
 */
function reportCoverage(): boolean {
  const least = Object.entries(
    JSON.parse(readFileSync('coverage.json', 'utf8')) as Record<string, number>
  )
  const check = wanted.length
    ? []
    : ['--check-coverage', ...least.map(([what, share]) => `--${what}=${share}`)]
  const { status } = spawnSync(
    'node_modules/.bin/c8',
    [
      'report',
      '--temp-directory',
      `${COVERAGE}/tmp`,
      '--reports-dir',
      COVERAGE,
      '--all',
      '--reporter',
      'text',
      '--reporter',
      'lcovonly',
      '--reporter',
      'json-summary',
      '--include',
      PRODUCT,
      '--include',
      'conformance/**/*.ts',
      '--exclude',
      'test/**',
      ...check
    ],
    { stdio: 'inherit' }
  )
  if (check.length && status === 0) suggest(least)
  return status === 0
}

function suggest(least: [what: string, share: number][]) {
  const summary = JSON.parse(readFileSync(`${COVERAGE}/coverage-summary.json`, 'utf8')) as Summary
  for (const [what, share] of least) {
    const { pct } = summary.total[what]!
    if (pct >= share + 1)
      console.log(`coverage.json may say ${Math.floor(pct)} for ${what}: ${pct} % are covered`)
  }
}

interface Summary {
  total: Record<string, { pct: number }>
}
