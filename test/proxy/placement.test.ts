// Where transports and Workers go.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { expectedLoad } from '../../proxy/placement/expected-load.ts'
import { pack } from '../../proxy/placement/pack.ts'

const place = (load: number, holdsRouter = false) => ({ load, holdsRouter, transports: 0 })

test('pack takes the fullest Worker under the watermark that has the Router, then any, then a new one, then the emptiest', () => {
  const policy = pack(0.6)
  const [low, high, full, fuller] = [
    place(0.1, true),
    place(0.5, true),
    place(0.7, true),
    place(0.9)
  ]
  const other = place(0.55)
  assert.is(policy({ places: [low, high, other, full], mayGrow: true }), high)
  assert.is(policy({ places: [other, full], mayGrow: true }), other)
  assert.is(policy({ places: [full, fuller], mayGrow: true }), undefined)
  assert.is(policy({ places: [fuller, full], mayGrow: false }), full)
})

test('what one more costs is learned from what a Worker has, the more it has the better', () => {
  const usual = expectedLoad({ used: 0, objects: 0 })
  assert.ok(Math.abs(expectedLoad({ used: 100 * usual, objects: 100 }) - usual) < 1e-9)
  const [some, many] = [20, 2_000].map(objects => expectedLoad({ used: objects * 0.01, objects }))
  assert.ok(usual < some! && some! < many! && many! < 0.01, `${usual}, ${some}, ${many}`)
})

test.run()
