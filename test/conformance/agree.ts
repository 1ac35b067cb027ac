// That random programs do the same on plain mediasoup and on tiers, as tests.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { differential } from '../../conformance/differential/index.ts'

const { DIFFERENTIAL_PATH: path } = process.env
export const { DIFFERENTIAL_TIER: only } = process.env
export const runs = numberIn('DIFFERENTIAL_RUNS') ?? 60
// The same programs each time, so that what fails is what changed; other seeds find more.
export const seed = numberIn('DIFFERENTIAL_SEED') ?? 1

function numberIn(name: string): number | undefined {
  return process.env[name] === undefined ? undefined : Number(process.env[name])
}

export function agree(...tiers: string[]) {
  for (const tier of only ? [only] : tiers) {
    test(`in ${runs} random programs, ${tier} does what plain mediasoup does`, async () => {
      const { agrees, text } = await differential({ tier, runs, seed, path, log: console.log })
      console.log(text)
      assert.ok(agrees, 'see above')
    })
  }
}
