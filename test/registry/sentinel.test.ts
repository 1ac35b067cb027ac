// A store behind Sentinels: another server takes the place of one that is killed.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openRedisStore } from '../../registry/index.ts'
import { afterTest, cleanUp } from '../helper.ts'
import { startRedis, startSentinel } from '../kit/redis.ts'
import { until } from '../kit/until.ts'
import { listen } from './store-suite.ts'

cleanUp(test)

const LONG = 60_000

test('rooms and hosts are in the server that takes the place of one that was killed', async () => {
  const first = await startRedis()
  afterTest(() => first.end())
  const second = await startRedis(['--replicaof', '127.0.0.1', String(first.port)])
  afterTest(() => second.end())
  const sentinel = await startSentinel('shared', first.port)
  afterTest(() => sentinel.end())
  await until(async () => (await sentinel.send('SENTINEL replicas shared')) !== '*0')

  const url = `redis+sentinel://127.0.0.1:${sentinel.port}/shared`
  const store = await openRedisStore(url)
  afterTest(() => store.close())
  const hosts = listen(store)
  await until(() =>
    store.register({ id: 'a', url: 'ws://a:1' }, LONG).then(
      () => true,
      () => false
    )
  )
  await until(() => hosts.told.length === 1)
  const place = await until(() => store.assign('room', ['a']).catch(() => undefined))

  await first.kill()
  const after = await until(() => store.assign('another', ['a']).catch(() => undefined))
  assert.is(after.host, 'a')
  assert.equal(await store.place('room'), { room: 'room', host: 'a', epoch: place.epoch })
  await store.register({ id: 'b', url: 'ws://b:1' }, LONG)
  await until(() => hosts.told.length === 2)
  assert.equal(hosts.told, ['+a', '+b'])
  assert.is(await second.send('HLEN mafalda:rooms'), ':2')
  await hosts.end()
})

test.run()
