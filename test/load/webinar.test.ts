// A small run of `npm run load -- --seats N`.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { fillWebinar } from './webinar.ts'
import { webinarLines } from './webinar-report.ts'

test('all seats of the webinar are taken, and everybody receives everybody on stage', async () => {
  const options = { seats: 6, stage: 3, seconds: 2, everyMs: 100 }
  const outcome = await fillWebinar(options)
  const { joins, consumers, received, silent, spread, failures } = outcome
  assert.equal(failures, [])
  assert.equal([joins.count, consumers, silent], [6, 6 * 3 * 2, 0])
  assert.ok(received > consumers)
  const onLeaves = Object.values(spread).reduce((sum, { consumers }) => sum + consumers, 0)
  assert.ok(onLeaves >= consumers, `${onLeaves} Consumers on leaves`)
  assert.match(webinarLines(options, outcome).join('\n'), 'joined: 6 of 6')
})

test.run()
