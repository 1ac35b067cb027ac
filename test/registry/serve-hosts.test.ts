// `mafalda serve redis://…`: a cluster of the hosts that have registered there.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { connect } from '../../client/index.ts'
import { openRedisStore } from '../../registry/index.ts'
import { afterTest, cleanUp, run, startLeaf } from '../helper.ts'
import { startRedis } from '../kit/redis.ts'
import { until } from '../kit/until.ts'

cleanUp(test)

const LEASE = 60_000

test('a cluster goes on while Redis is away, and sees who has come when it is back', async () => {
  const redis = await startRedis(['--requirepass', 'secret'])
  afterTest(() => redis.end())
  const url = redis.url.replace('//', '//:secret@')
  const store = await openRedisStore(url)
  afterTest(() => store.close())
  const hosts = await Promise.all([startLeaf(), startLeaf()])
  await store.register({ id: 'a', url: hosts[0].url }, LEASE)

  const { url: entry, lines } = await startLeaf([url])
  const said = (text: string) => lines.filter(line => JSON.parse(line).msg === text).length
  await until(() => said('host is up') === 1)
  const mediasoup = await connect(entry)
  afterTest(() => mediasoup.close())
  const worker = await mediasoup.createWorker()

  await redis.kill()
  await until(() => said('hosts cannot be looked up: those that are known stay') === 1)
  await worker.getResourceUsage()
  const second = await mediasoup.createWorker()
  await redis.replace() // It has nothing.
  await until(() => said('hosts can be looked up again') === 1)
  const register = () => store.register({ id: 'b', url: hosts[1].url }, LEASE)
  await until(() =>
    register().then(
      () => true,
      () => false
    )
  )
  await until(() => said('host is up') === 2)
  assert.is(said('host is gone'), 0)
  assert.equal([worker.closed, second.closed], [false, false])

  await store.unregister('a')
  await until(() => said('host is gone') === 1)
  await worker.getResourceUsage()
  const [there, here] = await Promise.all(
    [worker, await mediasoup.createWorker()].map(each => mediasoup.connection.locate(each))
  )
  assert.is.not(there!.node, here!.node)
  assert.not.match(lines.join('\n'), 'secret')
})

test('a URL of many hosts that is none is wrong usage', async () => {
  const urls = ['redis://', 'dns+ws://media.example', 'redis+sentinel://host']
  for (const { exited, errors } of urls.map(url => run(['serve', url]))) {
    assert.equal(await exited, [2, null])
    assert.match(errors.join('\n'), 'is like')
  }
})

test.run()
