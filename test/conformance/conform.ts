// mediasoup's own tests on tiers, as tests.

import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type * as conformances from '../../conformance/index.ts'

// Coverage of bundles in temporary folders is of no use, and slows the tests down.
delete process.env.NODE_V8_COVERAGE

// What is shipped is what is tested.
const { conformance, formatReport, tiers } = (await import(
  pathToFileURL(resolve('dist/conformance.js')).href
)) as typeof conformances

export const tierNames = Object.keys(tiers)
// Those whose Routers span Workers have a file of their own, because each takes a minute.
export const spanning = tierNames.slice(tierNames.indexOf('vertical'))

export function conform(names: string[]) {
  test(`${names.join(', ')} pass what plain mediasoup passes`, async () => {
    const report = await conformance({ tiers: names })
    assert.equal(
      report.tiers.map(({ tier }) => tier),
      names
    )
    assert.ok(report.conforms, formatReport(report))
    assert.is(report.baseline.count.total, 202)
    assert.equal(report.baseline.failures, [])
  })
}
