// How many hosts there should be: whatever the load does, and whatever is not known of it.

import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { ScaledHost } from '../../lib/wanted.ts'
import { scale } from '../../proxy/placement/scale.ts'
import { SCALE_DEFAULTS, type ScaleOptions } from '../../proxy/placement/scale-options.ts'
import { type ScaleState, beginScaling } from '../../proxy/placement/scale-state.ts'
import { SimulatedCloud, scaled } from '../kit/simulated-cloud.ts'

const CORES = 4
const QUIET = 60_000
const STEP = 1_000

const options = (given: Partial<ScaleOptions> = {}): ScaleOptions => ({
  ...SCALE_DEFAULTS,
  max: 20,
  quiet: QUIET,
  startTimeout: 30_000,
  settle: 0,
  ...given
})

const host = (name: string, given: Partial<ScaledHost> = {}): ScaledHost => ({
  name,
  capacity: CORES,
  used: 0,
  workers: 0,
  shared: false,
  known: true,
  draining: false,
  givenBack: false,
  ...given
})

/** What is decided about hosts that stay as they are. */
function decide(
  hosts: ScaledHost[],
  given: Partial<ScaleOptions> = {},
  { refused = 0, ms = 0 } = {}
) {
  const at = 1_000_000
  let state: ScaleState = beginScaling(at)
  const situation = { hosts, unreachable: [], refused }
  if (ms) ({ state } = scale(state, { ...situation, at }, options(given)))
  return scale(state, { ...situation, at: at + ms }, options(given)).wanted
}

const cloud = (hosts: number, warmup = 5_000) =>
  new SimulatedCloud({ cores: CORES, usage: 0.5, warmup }, hosts)

test('hosts are asked for at once, and to the whole need', () => {
  const full = host('a', { workers: CORES })
  assert.is(decide([full]).asked, 0)
  assert.is(decide([full], {}, { refused: 1 }).asked, 1)
  const wanted = decide([full], {}, { refused: 17 })
  assert.is(wanted.asked, 5)
  assert.is(wanted.hosts, 6)
  assert.is(wanted.cores, 17)
  assert.match(wanted.reason, '21 Workers want a core each, of 4')
})

test('cores in use count by the target, and Workers that are shared take none', () => {
  const busy = { used: 3, workers: 1 }
  const { hosts, cores, reason } = decide([host('a', busy)])
  assert.equal([hosts, cores, reason], [2, 1, '3 of 4 cores are used, and 0.6 is the target'])
  assert.is(decide([host('a', busy)], { target: 0.8 }).hosts, 1)
  const shared = host('a', { workers: 4, used: 0.5, shared: true })
  assert.is(decide([shared], { spare: 3 }).hosts, 1)
  assert.is(decide([shared], { spare: 4 }).hosts, 2)
})

test('a host goes when it was not needed for a while: one at a time, and the emptiest', () => {
  const hosts = [host('a', { workers: 2 }), host('b', { workers: 1 }), host('c', { workers: 3 })]
  assert.is(decide(hosts, {}, { ms: QUIET - 1 }).remove, undefined)
  const { remove, hosts: wanted, cores } = decide(hosts, {}, { ms: QUIET })
  assert.equal([remove, wanted, cores], ['b', 2, -CORES])
  const draining = { ...hosts[1]!, draining: true, givenBack: true }
  assert.is(decide([hosts[0]!, draining, hosts[2]!], {}, { ms: QUIET }).remove, undefined)
  assert.is(decide(hosts, { min: 3 }, { ms: QUIET }).remove, undefined)
})

test('a host that is given back is kept when there is need of it, and no other one is asked for', () => {
  const hosts = [host('a', { workers: 4 }), host('b', { draining: true, givenBack: true })]
  const { keep, asked, hosts: wanted } = decide(hosts, {}, { refused: 2 })
  assert.equal([keep, asked, wanted], [['b'], 0, 2])
  const drained = { ...hosts[1]!, givenBack: false }
  const other = decide([hosts[0]!, drained], {}, { refused: 2 })
  assert.equal([other.keep, other.asked], [[], 1])
})

test('what is not known of a host is no reason to ask for others, or to give it back', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(CORES), { minLength: 1, maxLength: 9 }), workers => {
      const lost = workers.map((workers, i) => host(`${i}`, { workers, known: false }))
      const { asked, remove } = decide(lost, {}, { ms: QUIET })
      assert.equal([asked, remove], [0, undefined])
      const one = [host('known'), ...lost]
      assert.is(decide(one, {}, { ms: QUIET }).remove, 'known')
      assert.is(
        decide([host('known', { workers: 1 }), ...lost], {}, { ms: QUIET }).remove,
        undefined
      )
    })
  )
})

test('nothing is asked for before the hosts that are there could come in', () => {
  const state = beginScaling(0)
  const situation = { hosts: [], unreachable: ['a', 'b'], refused: 5 }
  const settling = options({ settle: 30_000 })
  const early = scale(state, { ...situation, at: 29_999 }, settling)
  assert.is(early.wanted.asked, 0)
  assert.is(scale(early.state, { ...situation, at: 30_000 }, settling).wanted.asked, 5)
})

test('there are never more hosts than the most, and not fewer than the fewest', () => {
  const loads = fc.array(
    fc.record({ workers: fc.nat(120), seconds: fc.integer({ min: 1, max: 90 }), lost: fc.nat(3) }),
    { minLength: 1, maxLength: 12 }
  )
  const bounds = fc.record({ min: fc.integer({ min: 1, max: 5 }), more: fc.nat(15) })
  fc.assert(
    fc.property(
      loads,
      bounds,
      fc.integer({ min: 0, max: 60_000 }),
      (loads, { min, more }, warmup) => {
        const max = min + more
        const there = cloud(min, warmup)
        const decide = scaled(there, options({ min, max, startTimeout: 120_000 }))
        for (const { workers, seconds, lost } of loads)
          for (let i = 0; i < seconds; i++) {
            there.step(STEP)
            there.fill(workers)
            const hosts = [...there.hosts.values()]
            for (const [i, host] of hosts.entries()) host.silent = i < lost
            const wanted = decide()
            assert.ok(there.machines <= max, `${there.machines} machines, and ${max} are the most`)
            assert.ok(wanted.hosts >= min && wanted.hosts <= max, `${wanted.hosts} hosts`)
            assert.ok(there.active.length + there.starting >= min)
          }
      }
    ),
    { numRuns: 60 }
  )
})

test('a load that stays has as many hosts as it needs, and then nothing changes', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 70 }),
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 0, max: 20_000 }),
      (workers, hosts, warmup) => {
        const there = cloud(hosts, warmup)
        const decide = scaled(there, options())
        const run = (seconds: number) => {
          const changes = []
          for (let i = 0; i < seconds; i++) {
            there.step(STEP)
            there.fill(workers)
            const { asked, remove } = decide()
            changes.push(`${asked} ${remove}`)
          }
          return new Set(changes).size
        }
        run(25 * (QUIET / STEP))
        assert.is(there.machines, Math.ceil(workers / CORES))
        assert.is(run(3 * (QUIET / STEP)), 1)
      }
    ),
    { numRuns: 40 }
  )
})

test('a load that goes up and down within the time of quiet starts and ends no host', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 2, max: QUIET / STEP - 2 }),
      (low, height, period) => {
        const there = cloud(1)
        const decide = scaled(there, options())
        const at = (second: number) => low + Math.round((height * (second % period)) / (period - 1))
        let [asked, removed] = [0, 0]
        for (let second = 0; second < 10 * period; second++) {
          there.step(STEP)
          there.fill(at(second))
          const before = asked
          const wanted = decide()
          asked = wanted.asked
          if (wanted.remove !== undefined) removed++
          if (second >= 2 * period) assert.is(asked, before)
        }
        assert.is(removed, 0)
      }
    ),
    { numRuns: 60 }
  )
})

test('a provider that starts nothing is asked less and less often, and how long one takes is learned', () => {
  const there = cloud(1, Infinity)
  const decide = scaled(there, options())
  const when: number[] = []
  for (let second = 0, asked = 0; second < 30 * 60; second++) {
    there.step(STEP)
    there.fill(CORES + 1)
    const wanted = decide()
    if (wanted.asked > asked) when.push(second)
    asked = wanted.asked
    assert.is(wanted.starting, 1)
    assert.is(wanted.warmup, undefined)
  }
  const gaps = when.slice(1).map((at, i) => at - when[i]!)
  assert.equal(gaps.slice(0, 5), [30, 60, 120, 240, 480])

  const slow = cloud(1, 12_000)
  const decideSlow = scaled(slow, options())
  for (let second = 0; second < 20; second++) {
    slow.step(STEP)
    slow.fill(CORES + 1)
    decideSlow()
  }
  assert.is(decideSlow().warmup, 12_000)
})

test("what is told to Kubernetes' autoscaler is beyond its tolerance, or what there is", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), fc.nat(400), (now, workers) => {
      const hosts = Array.from({ length: now }, (_, i) => host(`${i}`, { workers: CORES }))
      const up = decide(hosts, { max: 1_000 }, { refused: workers })
      if (workers) assert.ok(up.hpaHosts / now > 1.1 && up.hpaHosts >= up.hosts)
      else assert.is(up.hpaHosts, now)
      for (let i = 0; i < workers && i < now; i++) hosts[i] = host(`${i}`)
      const down = decide(hosts, { max: 1_000 }, { ms: QUIET })
      assert.ok(down.hpaHosts === now || down.hpaHosts / now < 0.9)
      assert.ok(down.hpaHosts >= Math.max(1, now - workers))
    })
  )
})

test.run()
