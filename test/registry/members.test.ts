// Hosts that come and go are children of a live cluster.

import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { client } from '../../client/index.ts'
import type { Tier } from '../../lib/tier.ts'
import { horizontal } from '../../proxy/index.ts'
import type { HostChange, Hosts } from '../../registry/host.ts'
import { Members } from '../../registry/index.ts'
import { afterTest, cleanUp, rejection } from '../helper.ts'
import { FakeLeaf } from '../kit/fake-leaf.ts'
import { until } from '../kit/until.ts'

cleanUp(test)

/** A source that says what a test wants. */
function source() {
  const stream = new PassThrough({ objectMode: true })
  const hosts: Hosts = { changes: signal => stream.iterator({ destroyOnReturn: !signal.aborted }) }
  return {
    hosts,
    come: (id: string, url = `ws://${id}:4000/`) => stream.write({ host: { id, url } }),
    go: (id: string) => stream.write({ gone: id } satisfies HostChange),
    fail: () => stream.destroy(new Error('it cannot be read'))
  }
}

function live(...given: string[]) {
  const tiers: Tier[] = []
  const named = (url: string) => Object.assign(new FakeLeaf(4), { name: new URL(url).href })
  const cluster = horizontal(given.map(named), { patience: 0 })
  const [one, other] = [source(), source()]
  const told: string[] = []
  const members = new Members({
    cluster,
    sources: [one.hosts, other.hosts],
    connect({ url }) {
      if (url.includes('refused')) throw new TypeError('it is refused')
      const tier = named(url)
      tiers.push(tier)
      return tier
    },
    log: { info: (_facts, text) => told.push(text), warn: (_facts, text) => told.push(text) }
  })
  afterTest(() => {
    members.end()
    cluster.close()
  })
  return { cluster, one, other, told, names: () => [...cluster].map(({ name }) => name) }
}

test('a host that several sources name is one child, as long as one of them does', async () => {
  const { one, other, names } = live('ws://given:4000')
  one.come('a')
  other.come('another name', 'ws://a:4000')
  one.come('given', 'ws://given:4000')
  one.come('b')
  await until(() => names().length === 3)
  assert.equal(names(), ['ws://given:4000/', 'ws://a:4000/', 'ws://b:4000/'])
  one.go('a')
  one.go('given')
  one.go('b')
  await until(() => !names().includes('ws://b:4000/'))
  assert.equal(names(), ['ws://given:4000/', 'ws://a:4000/'])
  other.go('another name')
  await until(() => names().length === 1)
})

test('a host with another URL is another child', async () => {
  const { one, names } = live()
  one.come('a', 'ws://a:4000')
  one.come('a', 'ws://a:4001')
  one.come('application', 'https://app.example')
  await until(() => names().includes('ws://a:4001/'))
  assert.equal(names(), ['ws://a:4001/'])
})

test('a host that is gone but connected keeps its Workers, and gets no more', async () => {
  const { cluster, one } = live()
  one.come('a')
  await once(cluster, 'up')
  const mediasoup = await client(cluster)
  afterTest(() => mediasoup.close())
  const worker = await mediasoup.createWorker()
  one.go('a')
  await until(() => cluster.size === 0)
  await worker.getResourceUsage()
  assert.is(worker.closed, false)
  await rejection(mediasoup.createWorker())
  one.come('a')
  await until(() => cluster.size === 1)
  await until(() => mediasoup.createWorker().catch(() => undefined))
})

test('a host that cannot be used, and a source that fails, are told, and the others go on', async () => {
  const { one, other, told, names } = live()
  one.come('refused')
  one.come('a')
  await until(() => names().length === 1)
  one.fail()
  other.come('b')
  await until(() => names().length === 2 && told.length === 4)
  assert.equal(told.toSorted(), [
    'host cannot be used',
    'host has come',
    'host has come',
    'hosts cannot be looked up: those that are known stay'
  ])
})

test.run()
