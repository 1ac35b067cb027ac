// The benchmark runs; what it measures is not a test's business.

import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

// It measures dist/, which coverage of the sources does not know.
delete process.env.NODE_V8_COVERAGE

const bench = (...args: string[]) =>
  promisify(execFile)(process.execPath, ['test/bench/index.ts', ...args])

test('every group gives a table, and rows with a figure, in JSON too', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mafalda-bench-'))
  const file = join(folder, 'results.json')
  const { stdout } = await bench('--quick', '--json', file)
  const { results } = JSON.parse(await readFile(file, 'utf8')) as {
    results: {
      group: string
      rows: { what: string; value: number; ratio?: number; baseline?: string }[]
    }[]
  }
  await rm(folder, { recursive: true })

  assert.equal(
    results.map(({ group }) => group),
    [
      'calls',
      'throughput',
      'hops',
      'proxies',
      'joins',
      'trees',
      'events',
      'memory',
      'routes',
      'rtp',
      'start',
      'links',
      'recovery',
      'deaths',
      'pipes',
      'growth',
      'delay',
      'thousand',
      'fairness',
      'survey',
      'function-calls',
      'metrics',
      'register',
      'monitor',
      'scale'
    ]
  )
  for (const { rows } of results) {
    assert.ok(rows.length >= 2)
    for (const { what, value, ratio, baseline } of rows) {
      assert.ok(stdout.includes(what), what)
      assert.ok(Number.isFinite(value), what)
      assert.is(baseline !== undefined, Number.isFinite(ratio), what)
    }
  }
})

test('a group that there is not is refused', async () => {
  await bench('nonsense').then(
    () => assert.unreachable(),
    error => {
      assert.is(error.code, 2)
      assert.match(error.stderr, /A group must be one of calls, .* \(got nonsense\)/)
    }
  )
})

test.run()
