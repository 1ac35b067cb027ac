// The placement policy `first`: hosts are filled in the order of their names.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { client } from '../../../client/index.ts'
import { horizontal } from '../../../proxy/index.ts'
import { afterTest, cleanUp, until } from '../../helper.ts'
import { FakeLeaf } from '../../kit/fake-leaf.ts'

cleanUp(test)

const named = (name: string) => Object.assign(new FakeLeaf(2), { name })

const workersOf = (leaves: FakeLeaf[]) => leaves.map(leaf => leaf.of('Worker').length)

test('hosts are filled in the order of their numbers, and the last one runs empty', async () => {
  const [tenth, second, first, third] = [
    named('ws://media-10:4000'),
    named('ws://media-2:4000'),
    named('ws://media-1:4000'),
    named('ws://media-3:4000')
  ] as const
  const leaves = [tenth, second, first, third]
  const cluster = horizontal(leaves, { policy: 'first' })
  afterTest(() => cluster.close())
  await until(() => cluster.load.capacity === 8)
  const mediasoup = await client(cluster)
  afterTest(() => mediasoup.close())

  const workers = []
  for (let i = 0; i < 6; i++) workers.push(await mediasoup.createWorker())
  assert.equal(workersOf([first, second, third, tenth]), [2, 2, 2, 0])
  workers[0]!.close()
  await until(() => first.of('Worker').length === 1)
  first.report()
  await until(() => cluster.load.workers === 5)
  await mediasoup.createWorker()
  assert.equal(workersOf([first, second, third, tenth]), [2, 2, 2, 0])

  for (let i = 0; i < 3; i++) await mediasoup.createWorker()
  assert.equal(
    workersOf(leaves).toSorted(),
    [2, 2, 2, 3],
    'when none has room, the one with most free cores is next'
  )
})

test.run()
