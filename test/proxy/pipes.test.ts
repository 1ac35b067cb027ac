// What of a room is piped, when everybody hears and sees all others. The Workers are simulated.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { spreadRoom } from '../kit/pipes.ts'
import { client } from '../../client/index.ts'
import { vertical } from '../../proxy/index.ts'

for (const most of [1, 2, 4, 8, 16]) {
  test(`on ${most} Workers nothing is piped that nobody consumes, nor more than each Producer once to each other Worker`, async () => {
    for (const peers of [3, 5, 10]) {
      const { workers, producers, pipes, needless } = await spreadRoom(
        { client, vertical },
        peers,
        most
      )
      assert.is(workers, Math.min(most, 2 * peers))
      assert.is(needless, 0)
      assert.ok(
        pipes <= producers * (workers - 1),
        `${pipes} pipes for ${producers} Producers on ${workers} Workers`
      )
      if (workers > 1) assert.ok(pipes > 0)
    }
  })
}

test.run()
