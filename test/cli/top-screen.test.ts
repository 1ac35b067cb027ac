// The table of `mafalda top`, and what keys do to it.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Screen, draw, firstScreen, placeOf, press, rowsOf } from '../../cli/top-screen.ts'
import { IDLE } from '../../lib/load.ts'
import type { SurveyEntry } from '../../lib/survey.ts'

const list: SurveyEntry[] = [
  { id: 'top', of: null, kind: 'tier', tier: 'horizontal', load: { ...IDLE, capacity: 16 } },
  { id: 'a', of: 'top', kind: 'tier', tier: 'leaf', name: 'ws://a', load: { ...IDLE, used: 1 } },
  { id: 'b', of: 'top', kind: 'tier', tier: 'leaf', name: 'ws://b', load: { ...IDLE, used: 3 } },
  { id: 'c', of: 'top', kind: 'tier', tier: 'leaf', load: IDLE, problem: 'refused \x1b[2J' },
  { id: 'b/1', of: 'b', kind: 'Worker', pid: 7, cpu: 0.5, sessions: [] },
  { id: 'b/2', of: 'b', kind: 'Worker', pid: 8, cpu: 0.9, sessions: [] },
  { id: 'top/rest/session', of: 'top', kind: 'rest', rest: 'session', count: 99 }
]
const entries = new Map(list.map(entry => [entry.id, entry]))

const keys = (...pressed: string[]): Screen =>
  pressed.reduce<Screen>((screen, key) => press(screen, key, entries)!, firstScreen)
const ids = (screen: Screen) => rowsOf(entries, screen).map(({ id }) => id)

test('what is worst, or is used most, is above, and what is told together below', () => {
  assert.equal(ids(firstScreen), ['c', 'b', 'a', 'top/rest/session'])
  assert.equal(ids(keys('s', 's', 's')), ['c', 'a', 'b', 'top/rest/session'])
})

test('keys go down and up, and remember where they were', () => {
  const below = keys('down', 'down', 'return')
  assert.equal(ids(below), ['b/2', 'b/1'])
  assert.equal(
    placeOf(entries, below).map(({ id }) => id),
    ['top', 'b']
  )
  const up = press(below, 'backspace', entries)!
  assert.is(up.chosen, 'b')
  assert.equal(ids(up), ids(firstScreen))
  assert.equal(ids(press(up, 'backspace', entries)!), ids(firstScreen))
  assert.is(press(up, 'q', entries), undefined)
  assert.is(press(up, 'ctrl-c', entries), undefined)
  assert.equal(keys('up', 'up', 'x').chosen, 'c')
})

test('what is gone, or has nothing below it, is left', () => {
  const below = keys('down', 'down', 'return', 'down', 'return')
  const without = new Map(entries)
  without.delete('b/2')
  assert.is(placeOf(without, below).at(-1)!.id, 'b')
  assert.equal(keys('down', 'down', 'down', 'down', 'return').path, [])
})

test('each line fits into the terminal, commands nothing, and shows what is chosen', () => {
  const { lines, chosen } = draw(entries, keys('down', 'down'), { columns: 80, rows: 24 })
  assert.ok(lines.every(line => [...line].length <= 80))
  assert.not(lines.join('').includes('\x1b'))
  assert.match(lines[chosen!]!, 'ws://b')
  assert.match(lines.join('\n'), '99 more')
  const small = draw(entries, keys('down', 'down', 'down', 'down'), { columns: 20, rows: 5 })
  assert.is(small.lines.length, 5)
  assert.match(small.lines[small.chosen!]!, '99 more')
  assert.equal(draw(new Map(), firstScreen, { columns: 80, rows: 24 }).chosen, undefined)
})

test.run()
