// A host that is to end: what it refuses, whom it tells, and when it ends.

import * as localMediasoup from 'mediasoup'
import { once } from 'node:events'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  type DrainingHost,
  DrainingError,
  type RemoteMediasoup,
  client
} from '../../../client/index.ts'
import { leaf } from '../../../server/index.ts'
import {
  afterTest,
  cleanUp,
  connectLeaf,
  isAlive,
  raw,
  rejection,
  run,
  until
} from '../../helper.ts'

cleanUp(test)

const isReady = async (url: string) => (await fetch(`${url.replace('ws', 'http')}/readyz`)).json()

/** What an application is told of hosts. */
function listen({ connection }: RemoteMediasoup) {
  const told: DrainingHost[] = []
  const cancelled: string[] = []
  connection.on('draining', host => told.push(host))
  connection.on('drainCancelled', node => cancelled.push(node))
  return { told, cancelled }
}

/** `mafalda drain`, once it has said something. */
async function drain(url: string, ...args: string[]) {
  const command = run(['drain', url, ...args])
  await until(() => {
    if (command.errors.length) throw new Error(command.errors.join('\n'))
    return command.lines.length
  })
  return command
}

test('a host that drains refuses Workers and Routers by a class of its own, and serves those that it has', async () => {
  const { mediasoup, url } = await connectLeaf()
  const router = await (await mediasoup.createWorker()).createRouter()
  const worker = await mediasoup.createWorker()
  await drain(url)
  for (const refused of [mediasoup.createWorker(), worker.createRouter()]) {
    const error = await rejection(refused)
    assert.instance(error, DrainingError)
    assert.match(error.message, /host drains/)
  }
  assert.not((await router.createDirectTransport()).closed)
  assert.equal(await isReady(url), { status: 'draining' })
  assert.equal(await mediasoup.connection.getLoad(), {
    capacity: 0,
    used: 0,
    workers: 0,
    shared: 0,
    routers: 1,
    consumers: 0,
    draining: 2,
    wanted: 0
  })
})

test('it ends when it is empty, and the command shows what is left until then', async () => {
  const { mediasoup, url, exited } = await connectLeaf()
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter()
  const command = await drain(url)
  assert.is(command.lines[0], '1 Workers, 1 Routers, 0 Consumers left')
  router.close()
  await until(() => command.lines.includes('1 Workers, 0 Routers, 0 Consumers left'))
  let died = false
  worker.on('died', () => {
    died = true
  })
  worker.close()
  assert.equal(await exited, [0, null])
  assert.equal(await command.exited, [0, null])
  assert.is(command.lines.at(-1), 'empty: the host ends')
  assert.not(died)
})

test('at the deadline it ends with what is on it', async () => {
  const { mediasoup, url, exited } = await connectLeaf()
  const worker = await mediasoup.createWorker()
  const died = once(worker, 'died')
  const command = await drain(url, '--deadline', '1')
  assert.is(command.lines[0], '1 Workers, 0 Routers, 0 Consumers left, 1 s to the deadline')
  await died
  assert.equal(await exited, [0, null])
  assert.equal(await command.exited, [0, null])
  assert.is(
    command.lines.at(-1),
    'the deadline has come: the host ends with 1 Workers, 0 Routers, 0 Consumers'
  )
  await until(() => !isAlive(worker.pid))
})

test('a drain that is cancelled leaves all as it was, and whoever watches it is told', async () => {
  const { mediasoup, url, child } = await connectLeaf()
  const { told, cancelled } = listen(mediasoup)
  const worker = await mediasoup.createWorker()
  const { node } = await mediasoup.connection.locate(worker)
  const command = await drain(url, '--deadline', '60')
  await until(() => told.length)
  assert.equal((await drain(url, '--cancel')).lines, [`${url} does not drain`])
  await until(() => cancelled.length)
  assert.equal(cancelled, [node])
  assert.equal(await command.exited, [1, null])
  assert.is(command.lines.at(-1), 'cancelled, with 1 Workers, 0 Routers, 0 Consumers')
  await worker.createRouter()
  await mediasoup.createWorker()
  assert.equal(await isReady(url), { status: 'ready' })
  assert.is(child.exitCode, null)
})

test('Ctrl-C of the command does not cancel; asked again without a deadline, the host keeps the one that it has', async () => {
  const { mediasoup, url, exited } = await connectLeaf()
  const worker = await mediasoup.createWorker()
  const command = await drain(url, '--deadline', '600')
  command.child.kill('SIGINT')
  await command.exited
  const again = await drain(url)
  const left = /^1 Workers, 0 Routers, 0 Consumers left, (\d+) s to the deadline$/
  const [, seconds] = again.lines[0]!.match(left)!
  assert.ok(Number(seconds) > 0 && Number(seconds) <= 600)
  worker.close()
  assert.equal(await exited, [0, null])
})

test('a session with Workers there is told what it has to move, and again when the deadline is another one', async () => {
  const { mediasoup, url } = await connectLeaf()
  const bystander = await raw(url)
  const { told } = listen(mediasoup)
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter()
  const transport = await router.createDirectTransport()
  const observer = await router.createActiveSpeakerObserver()
  ;(await router.createDirectTransport()).close()
  await drain(url)
  await until(() => told.length)
  const { node } = await mediasoup.connection.locate(worker)
  const [{ workers, transports, rtpObservers, ...host }] = told as [DrainingHost]
  assert.equal(host, { node, deadline: undefined })
  for (const [objects, expected] of [
    [workers, worker],
    [transports, transport],
    [rtpObservers, observer]
  ] as const) {
    assert.is(objects.length, 1)
    assert.is(objects[0], expected)
  }
  await drain(url, '--deadline', '600')
  await until(() => told.length === 2)
  assert.ok(told[1]!.deadline! > 0 && told[1]!.deadline! <= 600_000)
  await bystander.call('tier.hello')
  assert.is(bystander.heard.length, 1, 'who has nothing there hears nothing')
})

test('a Worker that is on its way when the drain begins is refused, and does not stay', async () => {
  for (const shareWorkers of [false, true]) {
    const tier = leaf(localMediasoup, { shareWorkers, linger: 0 })
    const mediasoup = await client(tier)
    afterTest(() => mediasoup.close())
    const pids: number[] = []
    const onWorker = (worker: localMediasoup.types.Worker) => pids.push(worker.pid)
    localMediasoup.observer.on('newworker', onWorker)
    afterTest(() => localMediasoup.observer.off('newworker', onWorker))
    const refused = rejection(mediasoup.createWorker())
    // It has arrived, and its process is starting.
    await new Promise(setImmediate)
    tier.drain.start()
    assert.instance(await refused, DrainingError)
    assert.is(pids.length, 1)
    await until(() => !isAlive(pids[0]!))
    await until(() => tier.drain.state.ended === 'empty')
    assert.throws(() => tier.drain.cancel(), /the drain is over/)
  }
})

test('a deadline that is none is refused', async () => {
  const { url } = await connectLeaf()
  const peer = await raw(url)
  for (const deadline of [-1, 'soon', {}]) {
    assert.match(
      (await peer.call('tier.drain', { deadline })).error!.message,
      /^deadline must be from 0 to 2147483647 ms/
    )
  }
  assert.equal(await isReady(url), { status: 'ready' })
})

test('SIGTERM with --drain-deadline drains before the host ends', async () => {
  const { mediasoup, url, child, exited } = await connectLeaf(['--drain-deadline', '60'])
  const { told } = listen(mediasoup)
  const worker = await mediasoup.createWorker()
  child.kill('SIGTERM')
  await until(() => told.length)
  assert.ok(told[0]!.deadline! <= 60_000)
  assert.equal(await isReady(url), { status: 'draining' })
  worker.close()
  assert.equal(await exited, [0, null])
})

test('a second signal ends the drain, with what is on the host', async () => {
  const { mediasoup, child, exited } = await connectLeaf(['--drain-deadline', '60'])
  const { told } = listen(mediasoup)
  const worker = await mediasoup.createWorker()
  child.kill('SIGTERM')
  await until(() => told.length)
  const died = once(worker, 'died')
  child.kill('SIGTERM')
  await died
  assert.equal(await exited, [0, null])
})

test.run()
