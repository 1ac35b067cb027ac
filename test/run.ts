// Runs every test file in a process of its own, then prints coverage and how many tests passed and failed.
//
//   node test/run.ts [part of a path …]

import { spawn, spawnSync } from 'node:child_process'
import { globSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'

const COVERAGE = 'coverage/tmp'
const MAX_SECONDS = 900

interface Outcome {
  file: string
  passed: number
  failed: number
  output: string
  seconds: number
}

const wanted = process.argv.slice(2)
const files = globSync('test/**/*.test.ts').filter(file => !wanted.length || wanted.some(part => file.includes(part))).toSorted()
rmSync('coverage', { recursive: true, force: true })

const queue = [...files]
const outcomes: Outcome[] = []
await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, work))
report()

async function work() {
  for (let file = queue.shift(); file; file = queue.shift()) {
    const outcome = await run(file)
    outcomes.push(outcome)
    const { passed, failed, seconds, output } = outcome
    console.log(`${failed ? '✗' : '✓'} ${file}: ${passed} passed${failed ? `, ${failed} failed` : ''} (${seconds.toFixed(1)} s)`)
    if (failed) console.log(output)
  }
}

function run(file: string): Promise<Outcome> {
  const start = performance.now()
  const child = spawn(process.execPath, [file], {
    env: { ...process.env, NODE_V8_COVERAGE: COVERAGE, NO_COLOR: '1', FORCE_COLOR: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => { output += chunk })
  const timer = setTimeout(() => {
    output += `\nkilled: a test file must end within ${MAX_SECONDS} s\n`
    process.kill(-child.pid!, 'SIGKILL')
  }, MAX_SECONDS * 1000)
  return new Promise(resolve => child.on('close', code => {
    clearTimeout(timer)
    resolve({ file, ...count(output, code), output, seconds: (performance.now() - start) / 1000 })
  }))
}

// A file that ends without uvu's summary ran no test, or died: that is a failure, too.
function count(output: string, code: number | null) {
  const number = (label: string) => Number(new RegExp(`^\\s*${label}:\\s+(\\d+)`, 'm').exec(output)?.[1] ?? 0)
  const [total, passed, skipped] = [number('Total'), number('Passed'), number('Skipped')]
  const failed = total - passed // uvu does not count what it skipped.
  return { passed, failed: failed || (code !== 0 || total + skipped === 0 ? 1 : 0) }
}

function report() {
  spawnSync('node_modules/.bin/c8', ['report', '--temp-directory', COVERAGE, '--all', '--reporter', 'text', '--reporter', 'lcovonly',
    '--include', '{lib,client,server,cli}/**/*.{ts,mjs}', '--include', 'conformance/**/*.ts', '--exclude', 'test/**'], { stdio: 'inherit' })
  const sum = (key: 'passed' | 'failed') => outcomes.reduce((total, outcome) => total + outcome[key], 0)
  console.log(`${sum('passed')} passed, ${sum('failed')} failed`)
  process.exitCode = sum('failed') || !outcomes.length ? 1 : 0
}
