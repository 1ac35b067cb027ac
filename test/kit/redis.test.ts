// The Redis of the tests does what tests ask of it.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { startRedis } from './redis.ts'

test('a Redis that is killed comes back at the same port with what it had', async () => {
  const redis = await startRedis()
  try {
    assert.is(await redis.send('SET colour green'), '+OK')
    await redis.kill()
    await redis.start()
    assert.is(await redis.send('STRLEN colour'), ':5')
    await redis.empty()
    assert.is(await redis.send('DBSIZE'), ':0')
    await redis.send('SET colour green')
    await redis.replace()
    assert.is(await redis.send('DBSIZE'), ':0')
  } finally {
    await redis.end()
  }
})

test('what Redis refuses is an error', async () => {
  const redis = await startRedis()
  try {
    await redis.send('NOTHING').then(
      () => assert.unreachable(),
      error => assert.match(error.message, 'unknown command')
    )
  } finally {
    await redis.end()
  }
})

test.run()
