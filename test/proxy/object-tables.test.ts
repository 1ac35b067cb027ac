// What a session on a cluster keeps is what is there: it does not grow with what was closed.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { FakeLeaf } from '../kit/fake-leaf.ts'
import { client } from '../../client/index.ts'
import type { Announcement } from '../../lib/codec.ts'
import { horizontal } from '../../proxy/index.ts'
import { Pipes, type TransportEnd, nameOf } from '../../proxy/pipes.ts'
import type { ChildSession } from '../../proxy/session.ts'
import { afterTest, cleanUp } from '../helper.ts'

cleanUp(test)

const ROUTERS = 5_000

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

async function heapUsed(): Promise<number> {
  for (let i = 0; i < 5; i++) {
    await new Promise(resolve => setTimeout(resolve, 20))
    collectGarbage()
  }
  return process.memoryUsage().heapUsed
}

/** A branch that keeps what is closed on it. */
function branch() {
  const closed: string[] = []
  const rpc = {
    notify: (method: string, handle: string) => closed.push(`${method} ${handle}`),
    call: async () => ({})
  }
  return { closed, branch: { rpc, link: {} } as unknown as ChildSession }
}

function tuple(port: number, remotePort: number): ms.TransportTuple {
  return {
    localAddress: '127.0.0.1',
    localPort: port,
    remoteIp: '127.0.0.1',
    remotePort,
    protocol: 'udp'
  } as ms.TransportTuple
}

const end = (at: ChildSession, router: string, transport: string): TransportEnd => ({
  branch: at,
  router,
  transport,
  members: { id: `id of ${transport}`, tuple: tuple(1, 2) }
})

const announcement = (kind: string, $: string, of: string): Announcement =>
  ({ kind, $, of, members: { id: `id of ${$}` } }) as unknown as Announcement

function connected() {
  const [here, there] = [branch(), branch()]
  const ended: string[] = []
  const pipes = new Pipes(
    'tag',
    () => {},
    handle => ended.push(handle)
  )
  const ends = [end(here.branch, 'a/1', 'a/2'), end(there.branch, 'b/1', 'b/2')] as [
    TransportEnd,
    TransportEnd
  ]
  for (const each of ends) {
    pipes.addRouter(each)
    pipes.addTransport(each)
  }
  const pair = pipes.remember(ends)
  pipes.pairs.set(nameOf(...ends), Promise.resolve(pair))
  const leg = pipes.begin(pair, here.branch, announcement('Consumer', 'a/3', 'a/2'))
  pipes.arrive(leg, there.branch, announcement('Producer', 'b/3', 'b/2'))
  return { pipes, here, there, ended }
}

for (const [what, close, left] of [
  ['a Router', ['a/1'], ['b/1']],
  ['both Routers', ['a/1', 'b/1'], []],
  ['a transport', ['b/2'], ['a/1', 'b/1']]
] as const) {
  test(`${what} that is closed ends its pipes, and nothing is kept of them`, () => {
    const { pipes, here, there, ended } = connected()
    for (const handle of close) pipes.objects.remove(handle)
    assert.equal(
      [...pipes.objects.values()].map(({ handle }) => handle),
      left
    )
    assert.is(pipes.pairs.size, 0)
    assert.is(pipes.ids.size, 0)
    assert.equal(ended, ['b/3'])
    // Each transport takes what is on it with it.
    assert.equal(
      [...here.closed, ...there.closed],
      [close[0] === 'b/2' ? 'PipeTransport.close a/2' : 'PipeTransport.close b/2']
    )
  })
}

test('a Producer that is closed ends its way across, and the pipe stays', () => {
  const { pipes, here, there, ended } = connected()
  pipes.happened({ method: 'Consumer.producerclose', handle: 'a/3' })
  assert.equal(
    [...pipes.objects.values()].map(({ handle }) => handle),
    ['a/1', 'a/2', 'b/1', 'b/2']
  )
  assert.equal([...pipes.ids], ['id of a/2', 'id of b/2'])
  assert.is(pipes.pairs.size, 1)
  assert.equal(ended, ['b/3'])
  assert.equal([here.closed, there.closed], [[], ['Producer.close b/3']])
})

test('a pipe to a Router that is closed meanwhile does not come about', () => {
  const { branch: at } = branch()
  const pipes = new Pipes('tag', () => {})
  const ends = [end(at, 'a/1', 'a/2'), end(at, 'b/1', 'b/2')] as [TransportEnd, TransportEnd]
  for (const each of ends) pipes.addRouter(each)
  pipes.routerClosed('a/1')
  for (const each of ends) pipes.addTransport(each)
  assert.throws(() => pipes.remember(ends), /the Router was closed/)
})

test('of what has the tag of a pipe, all that is no part of one is closed, whatever its kind', () => {
  const { branch: at, closed } = branch()
  const pipes = new Pipes('tag', () => {})
  const found = (kind: string, $: string, of: string, name: string, members: object = {}) => ({
    branch: at,
    announcement: {
      kind,
      $,
      of,
      appData: { tag: name },
      members: { id: $, ...members }
    } as unknown as Announcement
  })
  const [one, other] = [{ tuple: tuple(1, 2) }, { tuple: tuple(2, 1) }]
  pipes.restore([
    found('PipeTransport', 'a/2', 'a/1', 'a/1,b/1', one),
    found('PipeTransport', 'b/2', 'b/1', 'a/1,b/1', other),
    // Made by a client, which knows the tag and not the Routers.
    found('PipeTransport', 'a/5', 'a/1', 'P', one),
    found('PipeTransport', 'a/6', 'a/1', 'P', other),
    found('PlainTransport', 'a/7', 'a/1', 'P'),
    found('Consumer', 'a/8', 'a/7', 'Q'),
    found('WebRtcTransport', 'a/9', 'a/1', 'Q')
  ])
  assert.equal(
    ['a/2', 'b/2', 'a/5', 'a/6', 'a/7', 'a/8', 'a/9'].filter(handle => pipes.owns(handle)),
    ['a/2', 'b/2']
  )
  assert.equal(closed, [
    'PipeTransport.close a/5',
    'PipeTransport.close a/6',
    'PlainTransport.close a/7',
    'Consumer.close a/8',
    'WebRtcTransport.close a/9'
  ])
})

test('a session on a cluster that opens and closes Routers keeps nothing of them', async () => {
  const cluster = horizontal([new FakeLeaf(8)])
  afterTest(() => cluster.close())
  const mediasoup = await client(cluster)
  afterTest(() => mediasoup.close())
  const worker = await mediasoup.createWorker()
  const openAndClose = async (count: number) => {
    for (let i = 0; i < count; i++) (await worker.createRouter()).close()
    await worker.dump() // The last one is closed, too.
  }
  await openAndClose(1_000)
  const before = await heapUsed()
  await openAndClose(ROUTERS)
  const perRouter = ((await heapUsed()) - before) / ROUTERS
  // One handle that is kept takes 78 bytes.
  assert.ok(perRouter < 30, `${perRouter.toFixed()} bytes for each Router that was closed`)
})

test.run()
