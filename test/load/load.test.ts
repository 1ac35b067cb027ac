// A short run of what `npm run load` does for minutes; and that its judges see what grows and
// drifts.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Random } from '../../conformance/fuzz/random.ts'
import { BOUNDS, LATER, judgeLatency, judgeMemory } from './judge.ts'
import { RATES, plansOf } from './plan.ts'
import { objectsOf } from './room.ts'
import { load } from './run.ts'
import { slope } from './trend.ts'

// What V8 notes for coverage is no memory of the product.
delete process.env.NODE_V8_COVERAGE

const SECONDS = 12

test('sessions and objects come and go: no call fails, no event is missing, the heap is bounded, and nothing is left', async () => {
  const { windows, before, after, wrong } = await load({
    seconds: SECONDS,
    sessions: 50,
    objects: 2_000,
    seed: 3,
    shape: 'leaf'
  })
  assert.equal(wrong, [])
  for (const what of ['call', 'join', 'session'] as const) {
    const count = windows.reduce((sum, { latencies }) => sum + latencies[what].count, 0)
    assert.ok(count > (RATES[what] * SECONDS) / 4, `${count} times ${what}`)
  }
  const heaps = windows.map(({ holdings }) => holdings.leaf!.heap)
  assert.ok(heaps.at(-1)! < heaps[0]! * 1.5, `heap of ${heaps}`)
  assert.is(after.leaf!.files, before.leaf!.files)
  assert.is(after.leaf!.workers, 0)
})

test('all sessions and objects are given to clients', () => {
  const plans = plansOf('ws://localhost', { seed: 1, sessions: 7, objects: 100, clients: 2 })
  assert.equal(
    plans.map(({ sessions }) => sessions.length),
    [3, 4]
  )
  assert.is(
    plans.flatMap(({ sessions }) => sessions).reduce((sum, objects) => sum + objects, 0),
    100
  )
})

test('a room has as many objects as it says', () => {
  assert.equal([1, 2, 3, 4].map(objectsOf), [12, 23, 40, 63])
})

const MINUTES = Array.from({ length: 48 }, (_, i) => 2 + i / 6)
const CALLS = 240_000
const START = 130e6

/** A heap that grows by so many bytes with each call, and has garbage. */
function heapThatKeeps(perCall: number) {
  const random = new Random(5)
  const points = MINUTES.map((x, i) => ({
    x,
    y: START + (perCall * CALLS * i) / MINUTES.length + random.between(-0.5e6, 0.5e6)
  }))
  return judgeMemory('heap', points, CALLS, BOUNDS.heap)
}

test('some bytes that each call leaves are seen, and what is just there is not', () => {
  assert.ok(heapThatKeeps(0).isFlat)
  assert.ok(heapThatKeeps(-20).isFlat)
  const leaking = heapThatKeeps(20)
  assert.not.ok(leaking.isFlat)
  assert.ok(Math.abs(leaking.perCall - 20) < 2, String(leaking.perCall))
})

test('what happens once is no trend', () => {
  const points = MINUTES.map((x, i) => ({ x, y: START + (i === 30 ? 80e6 : 0) }))
  assert.is(slope(points), 0)
  assert.ok(judgeMemory('heap', points, CALLS, BOUNDS.heap).isFlat)
})

test('calls that get later are seen, unless the echo does, too, or others disturb some windows', () => {
  const random = new Random(6)
  const isFlat = (callDrift: number, echoDrift: number, disturbed = 0) =>
    judgeLatency(
      'p50',
      MINUTES.map((_, i) => {
        const late = 1 + i / MINUTES.length
        return {
          call: 600 * late ** callDrift * (random.next() < disturbed ? 3 : 1),
          echo: 200 * late ** echoDrift
        }
      }),
      LATER.p50
    ).isFlat
  assert.ok(isFlat(0, 0))
  assert.ok(isFlat(1, 1))
  assert.ok(isFlat(0, 0, 0.5))
  assert.not.ok(isFlat(1, 0))
  assert.not.ok(isFlat(1, 0, 0.2))
})

test.run()
