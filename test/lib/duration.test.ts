// Times that no timer can wait for are refused, wherever they are given.

import * as localMediasoup from 'mediasoup'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { RemoteMediasoupClient, client, remote } from '../../client/index.ts'
import { horizontal, vertical } from '../../proxy/index.ts'
import { leaf, serve } from '../../server/index.ts'
import { rejection } from '../helper.ts'

const DAYS_30 = 30 * 24 * 60 * 60 * 1_000
const URL = 'ws://127.0.0.1:1'
const tier = leaf(localMediasoup)
const tokens = { secret: Buffer.alloc(32), audience: 'media' }

const options: [name: string, least: 0 | 1, use: (ms: number) => unknown][] = [
  ['grace', 0, grace => serve(tier, { grace })],
  ['silence', 1, silence => serve(tier, { silence })],
  ['tokens.grace', 0, grace => serve(tier, { tokens: { ...tokens, grace } })],
  ['linger', 0, linger => leaf(localMediasoup, { linger })],
  ['linger', 0, linger => vertical(tier, { linger })],
  ['timeout', 1, timeout => horizontal([], { timeout })],
  ['patience', 0, patience => horizontal([], { patience })],
  ['timeout', 1, timeout => remote(URL, { timeout })],
  ['silence', 1, silence => remote(URL, { silence })],
  ['timeout', 1, timeout => client(tier, { timeout })],
  ['timeout', 1, timeout => new RemoteMediasoupClient(URL, { timeout })],
  ['deadline', 0, deadline => tier.drain.start({ deadline })]
]

for (const [name, least, use] of options) {
  test(`${name} of ${use}`, async () => {
    for (const ms of [DAYS_30, 2 ** 31, least - 1, NaN, '1000' as unknown as number]) {
      const error = await rejection((async () => use(ms))())
      assert.instance(error, RangeError)
      const got = typeof ms === 'string' ? `"${ms}"` : ms
      assert.is(
        error.message,
        `${name} must be from ${least} to 2147483647 ms, which is 24.8 days (got ${got})`
      )
    }
  })
}

test.run()
