// Sessions of one realm share their Producers across the hosts of a tree, by nothing but ids.

import * as localMediasoup from 'mediasoup'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Tier } from '../../lib/index.ts'
import { horizontal, vertical } from '../../proxy/index.ts'
import { leaf } from '../../server/index.ts'
import { flows, lender, sessionOf, stage } from '../borrowing.ts'
import { afterTest, cleanUp, rejection, until } from '../helper.ts'

cleanUp(test)

function closing<T extends Tier>(tier: T): T {
  afterTest(() => tier.close())
  return tier
}

const host = () => leaf(localMediasoup)
const sharing = () => leaf(localMediasoup, { shareWorkers: true, poolSize: 2, linger: 0 })

interface Shape {
  /** Whether there are several hosts. */
  isWide: boolean
  make(): Tier
}

const shapes: Record<string, Shape> = {
  'a vertical tier': { isWide: false, make: () => vertical(host()) },
  'a vertical tier over shared Workers': { isWide: false, make: () => vertical(sharing()) },
  'a spread vertical tier over shared Workers': {
    isWide: false,
    make: () => vertical(sharing(), { policy: 'scatter' })
  },
  'a cluster': { isWide: true, make: () => horizontal([host(), host()]) },
  'a cluster of clusters': {
    isWide: true,
    make: () => horizontal([horizontal([host()]), horizontal([host()])])
  },
  'a cluster of vertical tiers': {
    isWide: true,
    make: () => horizontal([vertical(host()), vertical(host())])
  },
  'an aggregator': { isWide: true, make: () => vertical(horizontal([host(), host()])) }
}

for (const [name, { isWide, make }] of Object.entries(shapes)) {
  test(`on ${name} what another session produces arrives, and ends`, async () => {
    const tier = closing(make())
    const { producer, node } = await lender(await sessionOf(tier))
    const borrower = await sessionOf(tier)
    const { router, worker, consume } = await stage(borrower, isWide ? { beside: node } : {})
    const consumer = await consume(producer.id)
    assert.is(consumer.producerId, producer.id)
    await flows(producer, consumer)
    const transport = await router.createDirectTransport()
    const other = await transport.consume({
      producerId: producer.id,
      rtpCapabilities: router.rtpCapabilities
    })
    await flows(producer, other)

    await producer.pause()
    await until(() => consumer.producerPaused && other.producerPaused)
    await producer.resume()
    await until(() => !consumer.producerPaused && !other.producerPaused)

    producer.close()
    await until(() => consumer.closed && other.closed)
    assert.not.ok(worker.closed)
    const error = await rejection(consume(producer.id))
    assert.is(error.message, `Producer with id "${producer.id}" not found`)
    assert.instance(error, localMediasoup.errors.NotFoundError)
  })

  test(`on ${name} messages of another session arrive`, async () => {
    const tier = closing(make())
    const { transport, mediasoup } = await lender(await sessionOf(tier))
    const dataProducer = await transport.produceData({ label: 'chat' })
    const { node } = await mediasoup.connection.locate(transport)
    const borrower = await stage(await sessionOf(tier), isWide ? { beside: node } : {})
    const consumer = await borrower.transport.consumeData({ dataProducerId: dataProducer.id })
    const heard: string[] = []
    consumer.on('message', message => heard.push(message.toString()))
    await until(() => {
      dataProducer.send('hello')
      return heard.includes('hello')
    })
  })

  test(`on ${name} another realm’s Producer is as unknown as one that never was`, async () => {
    const tier = closing(make())
    const { producer, node } = await lender(await sessionOf(tier, 'theirs'))
    const ours = await sessionOf(tier, 'ours')
    const { consume } = await stage(ours, isWide ? { beside: node } : {})
    const answers = async (id: string) => {
      const tries = [consume(id), ours.connection.find(id)]
      const failures = await Promise.all(tries.map(rejection))
      return failures.map(({ name, message }) => [name, message.replace(id, 'ID')])
    }
    assert.equal(await answers(producer.id), await answers('00000000-0000-4000-8000-000000000000'))
  })

  test(`on ${name} what is found, canConsume() knows`, async () => {
    const tier = closing(make())
    const { producer, node } = await lender(await sessionOf(tier))
    const borrower = await sessionOf(tier)
    const { router } = await stage(borrower)
    const found = await borrower.connection.find(producer.id)
    assert.equal([found.kind, found.node], ['audio', node])
    const { rtpCapabilities } = router
    assert.ok(router.canConsume({ producerId: producer.id, rtpCapabilities }))
  })
}

test('between hosts, what the borrower has goes with its session, and the lender sees none of it', async () => {
  const hosts = [host(), host()]
  const tier = closing(horizontal(hosts))
  const { producer, node, router } = await lender(await sessionOf(tier))
  const load = async () => {
    const figures = await Promise.all(hosts.map(each => each.figures!()))
    return JSON.stringify(
      figures.map(({ host }) => [...host!.objects].filter(([, count]) => count))
    )
  }
  const before = await load()
  const dump = JSON.stringify(await router.dump())
  const borrower = await sessionOf(tier)
  const { consume } = await stage(borrower, { beside: node })
  await flows(producer, await consume(producer.id))
  assert.is(JSON.stringify(await router.dump()), dump)
  borrower.close()
  await until(async () => (await load()) === before)
  assert.not.ok(producer.closed)
})

test('the last Consumer takes a pipe between hosts with it, and the next one brings another', async () => {
  const tier = closing(horizontal([host(), host()]))
  const { producer, node } = await lender(await sessionOf(tier))
  const { consume, router } = await stage(await sessionOf(tier), { beside: node })
  for (let i = 0; i < 2; i++) {
    const consumer = await consume(producer.id)
    await flows(producer, consumer)
    consumer.close()
    await until(async () => !(await router.dump()).mapProducerIdConsumerIds.length)
  }
})

test.run()
