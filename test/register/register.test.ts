// `node --import mafalda/register app.js`: when it connects, how long it waits, and what it says.

import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import * as localMediasoup from 'mediasoup'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ConnectionError } from '../../lib/errors.ts'
import { LazyMediasoup } from '../../register/lazy-mediasoup.ts'
import { leaf } from '../../server/index.ts'
import { authority, folder } from '../certificates.ts'
import { afterTest, cleanUp, freePort, rejection, startLeaf, until } from '../helper.ts'
import { ask, end as endProcess, startTier } from '../kit/processes.ts'
import { AUDIENCE, keyIssuer } from '../tokens.ts'
import { runApplication, startApplication } from './application.ts'

cleanUp(test)

let url: string
let end: () => Promise<void>
test.before(async () => {
  const leaf = await startTier(['--grace', '600000'])
  url = leaf.url
  end = () => endProcess(leaf.child, 'SIGTERM')
})
test.after(() => end())

const require = createRequire(import.meta.url)
const { MEDIASOUP_WORKER_BIN } = process.env

async function sessionsOn(url: string): Promise<number> {
  const response = await fetch(`${url.replace('ws', 'http')}/healthz`)
  return ((await response.json()) as { sessions: number }).sessions
}

const app = (source: string) => ({ 'app.mjs': `import * as mediasoup from 'mediasoup'\n${source}` })

test('nothing is opened before the first Worker, so a start may block as long as it takes', async () => {
  const { child, exited } = startApplication(
    app(`
      const logs = []
      mediasoup.setLogEventListeners({ ondebug: (namespace, text) => logs.push(text) })
      const seen = []
      mediasoup.observer.on('newworker', worker => seen.push(worker))
      process.once('message', async () => {
        const worker = await mediasoup.createWorker()
        process.send([seen[0] === worker, seen.length, logs.includes('createWorker()')])
        process.once('message', () => {
          worker.close()
          process.channel.unref()
        })
      })
      process.send(mediasoup.getSupportedRtpCapabilities().codecs.length)`),
    { url }
  )
  assert.ok((await ask<number>(child)) > 1)
  assert.is(await sessionsOn(url), 0)
  assert.equal(await ask(child, 'make a Worker'), [true, 1, true])
  assert.is(await sessionsOn(url), 1)
  child.send('close it')
  assert.equal(await exited, [0, null])
  assert.is(await sessionsOn(url), 0)
})

test('the first Worker waits for a tier that is not up yet', async () => {
  const port = await freePort()
  const started = startApplication(
    app(
      'const worker = await mediasoup.createWorker(); console.log(worker.closed); worker.close()'
    ),
    { url: `ws://127.0.0.1:${port}` }
  )
  await until(() => started.errors.some(line => line.includes('waiting up to 60 s for ws://')))
  await startLeaf(['--listen', `127.0.0.1:${port}`])
  assert.equal(await started.exited, [0, null])
  assert.equal(started.lines, ['false'])
})

test('when there is no session in time, the process ends with 1 and a sentence', async () => {
  const { code, stdout, stderr } = await runApplication(
    app("await mediasoup.createWorker().catch(() => {}); console.log('went on')"),
    { url: 'ws://127.0.0.1:1', env: { MAFALDA_WAIT: '0.2' } }
  )
  assert.equal({ code, stdout }, { code: 1, stdout: [] })
  assert.equal(
    stderr.at(-1),
    'mafalda/register: createWorker() waited 0.2 s for a session: cannot connect to ws://127.0.0.1:1/: connect ECONNREFUSED 127.0.0.1:1'
  )
})

test('later, a call that gets no session in time rejects, and the application decides', async () => {
  const up = leaf(localMediasoup)
  afterTest(() => up.close())
  let isUp = true
  const open = async () => {
    if (isUp) return up.open()
    throw new ConnectionError('the tier is down')
  }
  const options = {
    tier: { open, close: () => up.close() },
    wait: 60_000,
    onWaiting: () => {},
    onGivenUp: () => assert.unreachable('there has been a session')
  }
  const { createWorker } = new LazyMediasoup(options)
  const worker = await createWorker()
  isUp = false
  options.wait = 20
  const died = once(worker, 'died')
  up.close()
  await died
  const error = await rejection(createWorker())
  assert.instance(error, ConnectionError)
  assert.is(error.message, 'createWorker() waited 0.02 s for a session: the tier is down')
})

test('an application that exits leaves nothing behind on the tier, whatever the grace is', async () => {
  const { exited } = startApplication(
    app('const worker = await mediasoup.createWorker(); worker.createRouter(); process.exit(3)'),
    { url }
  )
  assert.equal(await exited, [3, null])
  await until(async () => (await sessionsOn(url)) === 0)
})

// What is gone is given up at once.
const BRIEF = ['--grace', '50']

test('an application that exits when its Worker dies goes on while a spanning tier has a host', async () => {
  const [one, two] = await Promise.all([startLeaf(BRIEF), startLeaf(BRIEF)])
  const { url } = await startLeaf(['--vertical', '--policy', 'scatter', one.url, two.url])
  const { child, exited } = startApplication(
    app(`
      const worker = await mediasoup.createWorker()
      worker.on('died', () => process.exit(1))
      const router = await worker.createRouter()
      const listenInfo = { protocol: 'udp', ip: '127.0.0.1' }
      const lost = []
      const make = async () => {
        const transport = await router.createPlainTransport({ listenInfo })
        transport.on('routerclose', () => lost.push(transport))
        transport.observer.on('close', () => process.send('lost'))
      }
      await make()
      await make()
      process.on('message', async () => {
        await make()
        process.send(router.closed)
      })
      process.send('made')`),
    { url }
  )
  await ask(child)
  const lost = ask(child)
  one.child.kill('SIGKILL')
  assert.is(await lost, 'lost')
  assert.is(await ask(child, 'make one more'), false)
  two.child.kill('SIGKILL')
  assert.equal(await exited, [1, null])
})

test('it shows its token and certificate, and trusts the authority that it is told', async () => {
  const { ca, issue } = await authority()
  const [host, own, issuer] = [await issue('host'), await issue('app'), await keyIssuer()]
  const [keys, token] = [join(folder(), 'keys.jwks'), join(folder(), 'app.jwt')]
  writeFileSync(keys, JSON.stringify({ keys: [issuer.jwk] }))
  writeFileSync(token, `${await issuer.issue()}\n`)
  const tls = ['--tls-cert', host.cert, '--tls-key', host.key, '--tls-ca', ca]
  const { url } = await startLeaf([...tls, '--token-keys', keys, '--token-audience', AUDIENCE])
  const made = await runApplication(
    app(
      'const worker = await mediasoup.createWorker(); console.log(worker.closed); worker.close()'
    ),
    {
      url,
      env: {
        MAFALDA_CA: ca,
        MAFALDA_CERT: own.cert,
        MAFALDA_KEY: own.key,
        MAFALDA_TOKEN: token
      }
    }
  )
  assert.equal(made, { code: 0, stdout: ['false'], stderr: [] })
})

test('mock: is a leaf in the process itself', async () => {
  const made = await runApplication(
    app(`
      const worker = await mediasoup.createWorker()
      console.log(worker.constructor.name, (await worker.createRouter()).closed)
      worker.close()`),
    { url: 'mock:', env: { MEDIASOUP_WORKER_BIN } }
  )
  assert.equal(made, { code: 0, stdout: ['WorkerImpl false'], stderr: [] })
})

test('what is exported is what mediasoup exports', async () => {
  const { stdout } = await runApplication(
    { 'app.cjs': "console.log(Object.keys(require('mediasoup')).toSorted().join())" },
    { url: 'ws://127.0.0.1:1' }
  )
  assert.equal(stdout, [Object.keys(require('mediasoup')).toSorted().join()])
})

test('a mediasoup that it does not reach is noticed when it starts a worker, and is said once', async () => {
  const bundled = require.resolve('mediasoup')
  const { code, stderr } = await runApplication(
    {
      'app.cjs': `const mediasoup = require(${JSON.stringify(bundled)})
        const workers = Promise.all([mediasoup.createWorker(), mediasoup.createWorker()])
        workers.then(all => all.forEach(worker => worker.close()))`
    },
    { url: 'ws://127.0.0.1:1', env: { MEDIASOUP_WORKER_BIN } }
  )
  assert.is(code, 0)
  assert.is(stderr.length, 1)
  assert.match(
    stderr[0]!,
    'mafalda/register: a mediasoup-worker runs in this process, and not on the tier'
  )
})

test('a thread from a string is covered when its code imports the preload', async () => {
  const code = `import('mafalda/register').then(async () => {
    const worker = await require('mediasoup').createWorker()
    console.log(worker.closed)
    worker.close()
  })`
  const made = await runApplication(
    {
      'app.mjs': `import { Worker } from 'node:worker_threads'
        new Worker(${JSON.stringify(code)}, { eval: true })`
    },
    { url }
  )
  assert.equal(made, { code: 0, stdout: ['false'], stderr: [] })
})

const WRONG: [env: NodeJS.ProcessEnv, sentence: string][] = [
  [
    { MAFALDA_URL: '' },
    'MAFALDA_URL must be the URL of a tier, such as ws://media-1:4000, or mock: (it is not set)'
  ],
  [
    { MAFALDA_URL: 'ws://a:1,http://b:1' },
    'MAFALDA_URL: the URL of a tier must be like ws://host:port or wss://host:port (got "http://b:1")'
  ],
  [{ MAFALDA_WAIT: 'long' }, 'MAFALDA_WAIT must be from 0 to 2147483 seconds (got "long")'],
  [{ MAFALDA_CA: 'ca.crt' }, 'MAFALDA_URL: tls needs a URL like wss://host:port (got ws://a:1/)']
]

test('variables that are wrong end the process before the application runs, with a sentence', async () => {
  const runs = WRONG.map(([env]) =>
    runApplication(app("console.log('ran')"), { url: 'ws://a:1', env })
  )
  const ended = await Promise.all(runs)
  ended.forEach(({ code, stdout, stderr }, i) => {
    const expected = { code: 1, stdout: [], stderr: [`mafalda/register: ${WRONG[i]![1]}`] }
    assert.equal({ code, stdout, stderr }, expected)
  })
})

test.run()
