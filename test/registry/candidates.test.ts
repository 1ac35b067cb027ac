// Where a new room goes, for any hosts.

import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Candidate, candidates } from '../../registry/rooms/candidates.ts'
import { Promised } from '../../registry/rooms/promised.ts'
import { rendezvous } from '../../registry/rooms/rendezvous.ts'

const loads = fc.record({
  capacity: fc.integer({ min: 0, max: 64 }),
  used: fc.float({ min: 0, max: 64, noNaN: true })
})

const hosts = fc.uniqueArray(
  fc.record({
    id: fc.string({ minLength: 1, maxLength: 8 }),
    labels: fc.record({ region: fc.constantFrom('eu', 'us'), tier: fc.constantFrom('a', 'b') }),
    load: fc.option(loads, { nil: undefined }),
    promised: fc.float({ min: 0, max: 8, noNaN: true })
  }),
  { selector: ({ id }) => id, maxLength: 40 }
)

const randoms = fc.infiniteStream(fc.float({ min: 0, max: Math.fround(0.999), noNaN: true }))

const nextOf = (numbers: Iterator<number>) => () => numbers.next().value as number

const free = ({ load, promised }: Candidate) => (load ? load.capacity - load.used - promised : 0)

test('they are some of the hosts, each once, that do not drain and have the labels', () => {
  fc.assert(
    fc.property(hosts, randoms, (all, numbers) => {
      const wanted = { region: 'eu', labels: { tier: 'a' } }
      const chosen = candidates(all, wanted, nextOf(numbers))
      assert.is(new Set(chosen).size, chosen.length)
      const may = all.filter(({ labels, load }) => labels.tier === 'a' && load?.capacity !== 0)
      for (const id of chosen) assert.ok(may.some(host => host.id === id))
      assert.is(chosen.length > 0, may.length > 0)
    })
  )
})

test('a full host is taken only when all are full, and one of unknown load is full', () => {
  fc.assert(
    fc.property(hosts, randoms, (all, numbers) => {
      const [first] = candidates(all, {}, nextOf(numbers))
      if (first === undefined) return
      const chosen = all.find(({ id }) => id === first)!
      assert.is(
        free(chosen) > 0,
        all.some(host => free(host) > 0)
      )
    })
  )
})

test('the region comes first, as long as it has something to give', () => {
  fc.assert(
    fc.property(hosts, randoms, (all, numbers) => {
      const [first] = candidates(all, { region: 'eu' }, nextOf(numbers))
      if (!all.some(host => free(host) > 0 && host.labels.region === 'eu')) return
      assert.is(all.find(({ id }) => id === first)!.labels.region, 'eu')
    })
  )
})

test('the one that is taken is among the better half of those with something to give', () => {
  fc.assert(
    fc.property(hosts, randoms, (all, numbers) => {
      const open = all.filter(host => free(host) > 0).map(free)
      const [first] = candidates(all, {}, nextOf(numbers))
      if (open.length < 4) return
      const rank = open.filter(other => other > free(all.find(({ id }) => id === first)!)).length
      assert.ok(rank < open.length / 2, `${rank} of ${open.length} are better`)
    })
  )
})

test('three registries that rank alike do not all take the same host', () => {
  const all = Array.from({ length: 30 }, (_, i) => ({
    id: `h${i}`,
    load: { capacity: 8, used: i / 100 },
    promised: 0
  }))
  const taken = new Set(Array.from({ length: 100 }, () => candidates(all)[0]))
  assert.ok(taken.size >= 5, `${taken.size} hosts`)
})

test('of unequal hosts, rooms go to each by what it has to give', () => {
  const all = [4, 16].map(capacity => ({
    id: String(capacity),
    load: { capacity, used: 0 },
    promised: 0
  }))
  for (let i = 0; i < 100; i++) all.find(({ id }) => id === candidates(all)[0])!.promised += 0.1
  // The large one first, until what both have is the same.
  assert.ok(all[1]!.promised > all[0]!.promised)
})

test('what is promised counts until the second load after it, or for some seconds', () => {
  const promised = new Promised()
  promised.add(true, 1, 1_000)
  promised.add(false, 1, 1_000)
  assert.ok(Math.abs(promised.cores(1, 1_100) - 0.11) < 1e-9)
  assert.ok(promised.cores(2, 1_200) > 0.1) // That load may be older than the room.
  assert.is(promised.cores(3, 1_300), 0)
  promised.add(true, 3, 2_000)
  assert.is(promised.cores(3, 60_000), 0)
})

test('a room that was never made is forgotten, although the load never changes', () => {
  const promised = new Promised()
  for (let at = 0; at < 600_000; at += 10_000) {
    assert.is(promised.cores(1, at), 0)
    promised.add(true, 1, at)
  }
})

test('rendezvous: who knows the same hosts, in any order, gives the same place', () => {
  fc.assert(
    fc.property(fc.string(), fc.uniqueArray(fc.string(), { minLength: 1 }), (room, ids) => {
      const chosen = rendezvous(room, ids)
      assert.is(rendezvous(room, ids.toReversed()), chosen)
      // A host that is gone moves only its own rooms.
      const without = ids.filter(id => id !== ids[0])
      if (chosen !== ids[0]) assert.is(rendezvous(room, without), chosen)
    })
  )
})

test.run()
