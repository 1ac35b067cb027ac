// Short runs of what breaks everything, with a seed each; and that it sees what goes wrong.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { histogram } from '../../chaos/histogram.ts'
import { Judge } from '../../chaos/judge.ts'
import { chaos } from '../../chaos/run.ts'
import { scheduleOf } from '../../chaos/schedule.ts'

for (const [i, shape] of (['leaf', 'aggregated'] as const).entries()) {
  test(`what has to hold does, while links and processes break: ${shape}`, async () => {
    const { wrong, recoveries, flows, steps } = await chaos({ seed: 40 + i, seconds: 6, shape, killProxies: false })
    assert.equal(wrong, [])
    assert.ok(steps > 5)
    assert.ok(flows > 5, `${flows} flows of media`)
    assert.ok(recoveries.size > 0)
  })
}

test('a seed gives the same schedule, and another one another', () => {
  const schedule = (seed: number) => scheduleOf(seed, 60_000, { killProxies: true })
  assert.equal(schedule(7), schedule(7))
  assert.not.equal(schedule(7), schedule(8))
  const kinds = new Set(scheduleOf(7, 600_000, { killProxies: true }).map(step => step.do))
  assert.is(kinds.size, 9)
})

test('media that ends is wrong, unless what carried it was killed', () => {
  const judge = new Judge()
  for (const [id, pids] of [['one/1', [11, 12]], ['one/2', [12]], ['two/1', [13]], ['two/2', [13]]] as const) judge.hear({ tell: 'flow', id, pids: [...pids] })
  judge.touch([11])
  judge.hear({ tell: 'broken', id: 'one/1', why: 'routerclose' })
  judge.hear({ tell: 'over', id: 'two/1' })
  judge.hear({ tell: 'broken', id: 'two/1', why: 'routerclose' })
  assert.equal(judge.wrong, [])
  judge.hear({ tell: 'broken', id: 'one/2', why: 'nothing arrives' })
  assert.is(judge.wrong.length, 1)
  assert.match(judge.wrong[0]!, 'flow one/2 (in the Workers 12) ended, although nothing was killed that carried it: nothing arrives')
  judge.forget('two')
  judge.hear({ tell: 'broken', id: 'two/2', why: 'routerclose' })
  assert.is(judge.wrong.length, 1)
})

test('times are told with percentiles and bars', () => {
  const text = histogram([1, 3, 3, 100])
  assert.match(text, 'p50 3 ms')
  assert.match(text, 'max 100 ms')
  assert.is(text.match(/█/g)!.length, 20 + 40 + 20)
})

test.run()
