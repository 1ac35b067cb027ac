// A process that has few descriptors: who only connects takes none that sessions and Workers need,
// and a Worker that the host has no room for is refused.

import { once } from 'node:events'
import { type Socket, connect as connectTcp } from 'node:net'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { LimitError, connect } from '../../../client/index.ts'
import { codes } from '../../../lib/errors.ts'
import { authority } from '../../certificates.ts'
import { afterTest, cleanUp, rejection, until } from '../../helper.ts'
import { filesOf, serveArgs, startMafalda, urlOf } from '../../kit/processes.ts'

cleanUp(test)

const DESCRIPTORS = 96

/** A leaf that may have few descriptors. */
async function startNarrow(args: string[] = []) {
  const started = startMafalda(serveArgs(args), {
    prefix: ['sh', '-c', `ulimit -n ${DESCRIPTORS}; exec "$0" "$@"`]
  })
  afterTest(() => started.child.kill())
  const url = await urlOf(started)
  return { ...started, url, port: Number(new URL(url).port), pid: started.child.pid! }
}

/** Connects so often, and says nothing. */
async function idle(port: number, count: number): Promise<Socket[]> {
  const sockets = Array.from({ length: count }, () => {
    const socket = connectTcp(port, '127.0.0.1')
    socket.on('error', () => {}) // It was closed.
    afterTest(() => socket.destroy())
    return socket
  })
  await Promise.all(
    sockets.map(socket => Promise.race(['connect', 'close'].map(event => once(socket, event))))
  )
  return sockets
}

test('connections that ask for nothing make room for those that do, and none is taken from Workers', async () => {
  const { url, port, pid } = await startNarrow()
  const alice = await connect(url)
  afterTest(() => alice.close())
  const sockets = await idle(port, 2 * DESCRIPTORS)
  await until(() => sockets.filter(({ closed }) => closed).length > DESCRIPTORS)
  assert.ok(filesOf(pid) < DESCRIPTORS - 32)
  const bob = await connect(url)
  afterTest(() => bob.close())
  for (const mediasoup of [alice, bob]) assert.ok(await (await mediasoup.createWorker()).dump())
})

for (const args of [[], ['--share-workers']])
  test(`a Worker is refused while there are no descriptors for it: mafalda serve ${args.join()}`, async () => {
    const { url, pid } = await startNarrow(args)
    const mediasoup = await connect(url)
    afterTest(() => mediasoup.close())
    // A share is on a real Worker of its own when its settings are.
    let port = 10_000
    const create = () => mediasoup.createWorker({ rtcMinPort: ++port })
    const workers = [await create()]
    let refusal: Error | undefined
    while (!refusal)
      await create().then(
        worker => workers.push(worker),
        error => (refusal = error)
      )
    assert.instance(refusal, LimitError)
    assert.is((refusal as LimitError).code, codes.exhausted)
    assert.is(
      refusal.message,
      'the host has no room for another Worker: fewer than 32 descriptors are left (EMFILE)'
    )
    const files = filesOf(pid)
    for (let i = 0; i < 10; i++) assert.instance(await rejection(create()), LimitError)
    assert.ok(filesOf(pid) <= files, 'what is refused keeps no descriptor')
    assert.ok(await workers[0]!.dump())

    for (const worker of workers.slice(1)) worker.close()
    const again = await until(() => create().catch(() => false as const))
    assert.ok(await again.dump())
  })

test('a session below TLS is none of those that make room, and who says nothing is closed in time', async () => {
  const { ca, issue } = await authority()
  const { cert, key } = await issue('leaf')
  const { url, port } = await startNarrow(['--tls-cert', cert, '--tls-key', key])
  const [early] = await idle(port, 1)
  const session = await connect(url, { tls: { ca }, reconnect: false })
  afterTest(() => session.close())
  const sockets = await idle(port, 2 * DESCRIPTORS)
  await until(() => sockets.filter(({ closed }) => closed).length > DESCRIPTORS)
  assert.ok(await session.createWorker())
  assert.ok(early!.closed)
  await until(() => sockets.every(({ closed }) => closed))
})

test.run()
