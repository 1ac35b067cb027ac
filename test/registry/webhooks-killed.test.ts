// Events outlive the registry that tells them.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { publisher } from '../../registry/events/publish.ts'
import { openRedisStore } from '../../registry/store/redis-store.ts'
import { afterTest, cleanUp, until } from '../helper.ts'
import { ask, end, startScript } from '../kit/processes.ts'
import { startRedis } from '../kit/redis.ts'
import { SECRET, startReceiver } from '../kit/webhook-receiver.ts'

cleanUp(test)

const ROOMS = 20
const EPOCHS = 15

async function startRegistry(...args: [redis: string, receiver: string, name: string]) {
  const child = startScript('registry/webhook-registry', [...args, SECRET])
  afterTest(() => end(child, 'SIGKILL'))
  await ask(child)
  return child
}

test('a registry that is killed loses no event, and no subject its order: another one goes on', async () => {
  const redis = await startRedis()
  afterTest(() => redis.end())
  const store = await openRedisStore(redis.url)
  afterTest(() => store.close())
  let count = 0
  const receiver = await startReceiver({
    answer: async () => {
      count++
      if (count % 7 === 0) await new Promise(resolve => setTimeout(resolve, 20))
      return count % 10 < 3 ? 503 : 204
    }
  })
  afterTest(() => receiver.close())
  const [first, second] = await Promise.all(
    ['registry-1', 'registry-2'].map(name => startRegistry(redis.url, receiver.url, name))
  )

  const publish = publisher(store, 'test')
  for (let epoch = 1; epoch <= EPOCHS; epoch++) {
    await Promise.all(
      Array.from({ length: ROOMS }, (_, room) =>
        publish('room.moved', { room: String(room), host: `media-${epoch}`, epoch })
      )
    )
  }
  const total = ROOMS * EPOCHS
  await until(() => receiver.taken().length >= total / 4)
  await end(first!, 'SIGKILL')
  assert.ok(receiver.taken().length < total, 'it was killed in the middle')
  await until(() => receiver.taken().length === total)

  assert.equal(receiver.wrong, [])
  const expected = Array.from({ length: EPOCHS }, (_, i) => i + 1)
  for (let room = 0; room < ROOMS; room++) {
    const taken = receiver.taken().filter(({ data }) => data!.room === String(room))
    assert.equal(
      taken.map(({ data }) => data!.epoch),
      expected
    )
  }
  // What came twice is known by its id: it is the same event.
  const bodies = new Map<string, string>()
  for (const { id, event } of receiver.received) {
    const body = JSON.stringify(event)
    assert.is(bodies.get(id) ?? body, body)
    bodies.set(id, body)
  }
  assert.is(bodies.size, total)
  assert.ok(second!.exitCode === null)
})

test.run()
