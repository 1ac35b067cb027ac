// Short runs of what breaks everything, with a seed each; and that it sees what goes wrong.

import { spawnSync } from 'node:child_process'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { carryOut } from './faults.ts'
import { Judge } from './judge.ts'
import { chaos } from './run.ts'
import { faults, scheduleOf } from './schedule.ts'
import type { Shape } from './shapes.ts'
import { TreeTier } from './tier.ts'
import { startTree } from './tree.ts'
import { connect } from '../../client/index.ts'
import { rejection } from '../helper.ts'
import { bars } from '../kit/durations.ts'
import { obstacle } from '../kit/network-namespaces.ts'
import { until } from '../kit/until.ts'

const reason = obstacle()
if (reason) console.log(`all hosts are this one: ${reason}`)

// Seeds of which links are cut, and Workers, leaves or proxies killed, at once.
const RUNS: [shape: Shape, seed: number, seconds: number][] = [
  ['leaf', 1117, 4],
  ['shared', 988, 4],
  ['cluster', 66, 5],
  ['aggregated', 222, 5]
]

// Longer than a process takes to start on a machine that is busy.
const GRACE_MS = 15_000

for (const [shape, seed, seconds] of RUNS) {
  test(`what has to hold does, while links and processes break: ${shape}`, async () => {
    const lines: string[] = []
    const { wrong, recoveries, flows, steps } = await chaos({
      seed,
      seconds,
      shape,
      namespaces: !reason,
      grace: GRACE_MS,
      faults,
      perMinute: 70,
      log: line => lines.push(line)
    })
    assert.equal(wrong, [], lines.join('\n'))
    assert.ok(steps > 3)
    assert.ok(flows > 5, `${flows} flows of media`)
    assert.ok(recoveries.size > 0)
  })
}

test('no network of a run is left', () => {
  if (!reason)
    assert.not.match(
      spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' }).stdout,
      `mafalda-${process.pid}-`
    )
})

test('a seed gives the same schedule, and another one another', () => {
  const schedule = (seed: number) => scheduleOf(seed, 60_000, { faults, perMinute: 70 })
  assert.equal(schedule(7), schedule(7))
  assert.not.equal(schedule(7), schedule(8))
})

test('a schedule has the faults that it is to have, and as many', () => {
  const kindsOf = (of: typeof faults, perMinute: number) =>
    scheduleOf(7, 600_000, { faults: of, perMinute }).map(step => step.do)
  assert.equal([...new Set(kindsOf(faults, 70))].toSorted(), faults.toSorted())
  assert.equal([...new Set(kindsOf(['killProxy', 'cut'], 70))].toSorted(), ['cut', 'killProxy'])
  const { length } = kindsOf(faults, 200)
  assert.ok(length > 1_800 && length < 2_200, `${length} in 10 minutes`)
})

test('a tier is killed once, however long it takes to end, and is up again when it listens', async () => {
  const tier = await TreeTier.start('leaf', ['--grace', '1000'])
  try {
    const killed = tier.kill()
    assert.not.ok(tier.isUp)
    await killed
    const restarted = tier.restart()
    assert.not.ok(tier.isUp)
    await restarted
    assert.ok(tier.isUp)
  } finally {
    await tier.close()
  }
})

test('what is waited for without end is named', async () => {
  const forEver = () => new Promise<boolean>(() => {})
  assert.match((await rejection(until(forEver, 0.01, 'it rains'))).message, 'it rains')
  assert.match((await rejection(until(() => false, 0.01, 'it rains'))).message, 'it rains')
  assert.is(await until(() => 'rain', 10, 'it rains'), 'rain')
})

test('media that ends is wrong, unless what carried it was killed', () => {
  const judge = new Judge()
  for (const [id, pids] of [
    ['one/1', [11, 12]],
    ['one/2', [12]],
    ['two/1', [13]],
    ['two/2', [13]]
  ] as const)
    judge.hear({ tell: 'flow', id, pids: [...pids] })
  judge.touch([11], 'killWorker')
  judge.hear({ tell: 'broken', id: 'one/1', why: 'routerclose' })
  judge.hear({ tell: 'over', id: 'two/1' })
  judge.hear({ tell: 'broken', id: 'two/1', why: 'routerclose' })
  assert.equal(judge.wrong, [])
  judge.hear({ tell: 'broken', id: 'one/2', why: 'nothing arrives' })
  assert.is(judge.wrong.length, 1)
  assert.match(
    judge.wrong[0]!,
    'flow one/2 (in the Workers 12) ended, although nothing was killed that carried it: nothing arrives'
  )
  judge.forget('two')
  judge.hear({ tell: 'broken', id: 'two/2', why: 'routerclose' })
  assert.is(judge.wrong.length, 1)
})

test('media that ends because a proxy was away for longer than the grace period is not wrong', async () => {
  const judge = new Judge()
  const tree = await startTree('cluster', { grace: 2_000, namespaces: false })
  try {
    const mediasoup = await until(() => connect(tree.top.url).catch(() => undefined))
    const worker = await mediasoup.createWorker()
    const kill = (ms: number) =>
      carryOut({ do: 'killProxy', after: 0, proxy: 0, ms }, tree, [], judge)
    judge.hear({ tell: 'flow', id: 'one/1', pids: [worker.pid] })
    await kill(4_000)
    judge.hear({ tell: 'broken', id: 'one/1', why: 'routerclose' })
    assert.equal(judge.wrong, [])
    await until(() => worker.closed)
    mediasoup.close()
  } finally {
    await tree.close()
  }
})

test('what took how long is told by what was done', () => {
  const judge = new Judge()
  judge.hear({ tell: 'flow', id: 'one/1', pids: [11] })
  judge.touch([11], 'killLeaf')
  judge.hear({ tell: 'broken', id: 'one/1', why: 'routerclose' })
  judge.hear({ tell: 'recovered', what: 'flow', ms: 7, after: 'one/1' })
  judge.touchTop('cut')
  judge.hear({ tell: 'recovered', what: 'connection', ms: 0 })
  assert.equal(
    [...judge.recoveries],
    [
      ['flow after killLeaf', [7]],
      ['connection after cut', [0]]
    ]
  )
})

test('times are told with percentiles and bars', () => {
  const text = bars([1, 3, 3, 100])
  assert.match(text, 'p50 3 ms')
  assert.match(text, 'p100 100 ms')
  assert.is(text.match(/█/g)!.length, 20 + 40 + 20)
})

test.run()
