// What is in a view: to a depth, under something, and the worst where there is too much.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { IDLE } from '../../lib/load.ts'
import type { SurveyEntry, SurveyedConsumer, SurveyedRest } from '../../lib/survey.ts'
import { applyChanges, changesBetween } from '../../lib/survey-changes.ts'
import { type View, pick } from '../../lib/survey-view.ts'

const consumer = (id: string, more: Partial<SurveyedConsumer> = {}): SurveyedConsumer => ({
  id,
  of: 't',
  kind: 'Consumer',
  media: 'audio',
  codec: 'audio/opus',
  type: 'simple',
  producerId: 'p',
  paused: false,
  producerPaused: false,
  ...more
})

const tree = (...consumers: SurveyEntry[]): SurveyEntry[] => [
  { id: 'n', of: null, kind: 'tier', tier: 'leaf', load: IDLE },
  { id: 's', of: 'n', kind: 'session', since: 0, objects: 0 },
  { id: 'w', of: 'n', kind: 'Worker', pid: 1, sessions: ['s'] },
  { id: 'r', of: 'w', kind: 'Router', session: 's', transports: 1, producers: 0, consumers: 0 },
  { id: 'q', of: 'w', kind: 'Router', session: 's', transports: 0, producers: 0, consumers: 0 },
  { id: 't', of: 'r', kind: 'WebRtcTransport' },
  ...consumers
]

const view = (more: Partial<View>): View => ({
  detail: 'all',
  under: undefined,
  limit: 200,
  ...more
})

const idsOf = (entries: SurveyEntry[], views: View[], most = 1_000) => [
  ...pick(entries, views, most).keys()
]

test('a view goes as far down as is asked for', () => {
  const entries = tree(consumer('c'))
  assert.equal(idsOf(entries, [view({ detail: 'tiers' })]), ['n', 's'])
  assert.equal(idsOf(entries, [view({ detail: 'workers' })]), ['n', 's', 'w'])
  assert.equal(idsOf(entries, [view({ detail: 'routers' })]), ['n', 's', 'w', 'r', 'q'])
  assert.equal(idsOf(entries, [view({ detail: 'transports' })]), ['n', 's', 'w', 'r', 'q', 't'])
  assert.equal(idsOf(entries, [view({})]), ['n', 's', 'w', 'r', 'q', 't', 'c'])
})

test('what is under something is told with it, and together with other views', () => {
  const entries = tree(consumer('c'))
  assert.equal(idsOf(entries, [view({ under: 'r' })]), ['r', 't', 'c'])
  assert.equal(idsOf(entries, [view({ under: 'gone' })]), [])
  assert.equal(idsOf(entries, [view({ detail: 'workers' }), view({ under: 't' })]), [
    'n',
    's',
    'w',
    't',
    'c'
  ])
})

test('of too many, those with the lowest score are told, then those that carry most', () => {
  const entries = tree(
    consumer('good', { score: 10, bitrateIn: 0, bitrateOut: 100 }),
    consumer('bad', { score: 2, bitrateIn: 0, bitrateOut: 1, packetsLost: 4 }),
    consumer('large', { score: 10, bitrateIn: 0, bitrateOut: 900 }),
    consumer('unknown')
  )
  const picked = pick(entries, [view({ under: 't', limit: 2 })], 1_000)
  assert.equal([...picked.keys()], ['t', 'bad', 'large', 't/rest/Consumer'])
  assert.equal(picked.get('t/rest/Consumer'), {
    id: 't/rest/Consumer',
    of: 't',
    kind: 'rest',
    rest: 'Consumer',
    count: 2,
    bitrateIn: 0,
    bitrateOut: 100
  } satisfies SurveyedRest)
})

test('what is told together stays so further up, and nothing below it is told', () => {
  const rest: SurveyedRest = {
    id: 't/rest/Consumer',
    of: 't',
    kind: 'rest',
    rest: 'Consumer',
    count: 40,
    bitrateOut: 7
  }
  const entries = tree(consumer('one', { bitrateOut: 3, bitrateIn: 0 }), rest)
  const all = pick(entries, [view({ limit: 2 })], 1_000)
  assert.equal(all.get(rest.id), rest)
  const picked = pick(entries, [view({ limit: 0, under: 't' })], 1_000).get(rest.id)
  assert.equal(picked, { ...rest, count: 41, bitrateIn: 0, bitrateOut: 10 })
  assert.equal(idsOf(entries, [view({ limit: 0 })]), ['n', 'n/rest/session', 'n/rest/Worker'])
})

test('there are never more than may be in all, however many there are', () => {
  const entries = tree(...Array.from({ length: 5_000 }, (_, i) => consumer(`c${i}`)))
  const picked = pick(entries, [view({ limit: 100_000 })], 100)
  assert.ok(picked.size <= 100, String(picked.size))
  const rest = picked.get('t/rest/Consumer') as SurveyedRest
  const told = [...picked.values()].filter(({ kind }) => kind === 'Consumer').length
  assert.ok(told > 20)
  assert.is(rest.count + told, 5_000)
})

test('changes make what is there of what was', () => {
  const before = pick(tree(consumer('same'), consumer('gone')), [view({})], 1_000)
  const now = pick(tree(consumer('same'), consumer('new', { score: 7 })), [view({})], 1_000)
  const changes = changesBetween(before, now)
  assert.equal(
    changes.changed.map(({ id }) => id),
    ['new']
  )
  assert.equal(changes.gone, ['gone'])
  applyChanges(before, changes)
  assert.equal([...before.values()], [...now.values()])
  assert.equal(changesBetween(before, now), { changed: [], gone: [] })
})

test.run()
