import * as localMediasoup from 'mediasoup'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { connect } from '../../../client/index.ts'
import { leaf, serve } from '../../../server/index.ts'
import { afterTest, cleanUp, connectLeaf, mock, until } from '../../helper.ts'

cleanUp(test)

type Log = [namespace: string, text: string]

function record() {
  const logs: Log[] = []
  const onerror = (...log: Log) => {
    logs.push([log[0], log[1]])
  }
  const about = (pid: number) => logs.filter(([, text]) => text.includes(`[pid:${pid}`))
  return { listeners: { onerror }, about, logs }
}

// mediasoup logs an error when a worker dies.
const kill = async (worker: { pid: number; died: boolean }) => {
  process.kill(worker.pid, 'SIGKILL')
  await until(() => worker.died)
}

test('a client hears what its host logs about its Workers, and not about those of others', async () => {
  const { mediasoup: ours, url } = await connectLeaf()
  const theirs = await connect(url)
  afterTest(() => theirs.close())
  const [heard, overheard] = [record(), record()]
  ours.setLogEventListeners(heard.listeners)
  theirs.setLogEventListeners(overheard.listeners)
  const [our, their] = [await ours.createWorker(), await theirs.createWorker()]

  await kill(our)
  await kill(their)

  await until(() => heard.about(our.pid).length && overheard.about(their.pid).length)
  assert.equal(heard.about(our.pid)[0]![0], 'mediasoup:ERROR:Worker')
  assert.equal(heard.about(their.pid), [])
  assert.equal(overheard.about(our.pid), [])
})

test('nothing is heard any more after the listeners are taken away', async () => {
  const { mediasoup } = await connectLeaf()
  const heard = record()
  mediasoup.setLogEventListeners(heard.listeners)
  mediasoup.setLogEventListeners()
  const worker = await mediasoup.createWorker()
  await kill(worker)
  assert.equal(heard.logs, [])
})

test('a leaf that is given listeners hears everything, whatever its sessions do', async () => {
  const operator = record()
  const server = await serve(leaf(localMediasoup, { log: operator.listeners }))
  afterTest(() => server.close())
  afterTest(() => localMediasoup.setLogEventListeners())
  const mediasoup = await connect(server.url)
  const heard = record()
  mediasoup.setLogEventListeners(heard.listeners)
  const worker = await mediasoup.createWorker()
  await kill(worker)
  await until(() => heard.about(worker.pid).length)
  mediasoup.close()
  await until(() => server.sessions === 0)
  assert.ok(operator.about(worker.pid).length)
})

test('two leaves in one process hear what there is to hear, each', async () => {
  const operators = [record(), record()]
  afterTest(() => localMediasoup.setLogEventListeners())
  const [one, other] = await Promise.all(operators.map(({ listeners }) => mock({ log: listeners })))
  const heard = record()
  one!.setLogEventListeners(heard.listeners)
  other!.setLogEventListeners(record().listeners)
  other!.setLogEventListeners({})
  const worker = await one!.createWorker()
  await kill(worker)
  await until(() => [heard, ...operators].every(({ about }) => about(worker.pid).length))
})

test('the mock leaves the listeners of the application alone until it is told otherwise', async () => {
  const application = record()
  localMediasoup.setLogEventListeners(application.listeners)
  afterTest(() => localMediasoup.setLogEventListeners())
  const mediasoup = await mock()
  const worker = await mediasoup.createWorker()
  await kill(worker)
  assert.ok(application.about(worker.pid).length)
})

test.run()
