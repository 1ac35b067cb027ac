// `node --import mafalda/register app.js`: when it connects, how long it waits, and what it says.

import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import * as localMediasoup from 'mediasoup'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { remote } from '../../client/index.ts'
import { ConnectionError } from '../../lib/errors.ts'
import type { Tier } from '../../lib/tier.ts'
import { horizontal, vertical } from '../../proxy/index.ts'
import { settingsOf } from '../../register/environment.ts'
import { LazyMediasoup } from '../../register/lazy-mediasoup.ts'
import { type ServeOptions, type Server, leaf, serve } from '../../server/index.ts'
import { authority, folder } from '../certificates.ts'
import { afterTest, cleanUp, freePort, rejection, until } from '../helper.ts'
import { ask } from '../kit/processes.ts'
import { AUDIENCE, keyIssuer } from '../tokens.ts'
import { runApplication, startApplication } from './application.ts'

cleanUp(test)

/** A leaf of this process, which sessions would outlive for ten minutes. */
let server: Server
const up = leaf(localMediasoup)
test.before(async () => {
  server = await serve(up, { port: 0, grace: 600_000 })
})
test.after(async () => {
  await server.close()
  up.close()
})

/** A tier of this process, until the test ends. */
async function serveUntilEnd(tier: Tier, options: ServeOptions = {}): Promise<Server> {
  const served = await serve(tier, { port: 0, grace: 50, ...options })
  afterTest(async () => {
    await served.close()
    tier.close()
  })
  return served
}

const require = createRequire(import.meta.url)
const { MEDIASOUP_WORKER_BIN } = process.env

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
    { url: server.url }
  )
  assert.ok((await ask<number>(child)) > 1)
  assert.is(server.sessions, 0)
  assert.equal(await ask(child, 'make a Worker'), [true, 1, true])
  assert.is(server.sessions, 1)
  child.send('close it')
  assert.equal(await exited, [0, null])
  assert.is(server.sessions, 0)
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
  await serveUntilEnd(leaf(localMediasoup), { port })
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
  const own = leaf(localMediasoup)
  afterTest(() => own.close())
  let isUp = true
  const open = async () => {
    if (isUp) return own.open()
    throw new ConnectionError('the tier is down')
  }
  const options = {
    tier: { open, close: () => own.close() },
    wait: 60_000,
    onWaiting: () => {},
    onGivenUp: () => assert.unreachable('there has been a session')
  }
  const { createWorker } = new LazyMediasoup(options)
  const worker = await createWorker()
  isUp = false
  options.wait = 20
  const died = once(worker, 'died')
  own.close()
  await died
  const error = await rejection(createWorker())
  assert.instance(error, ConnectionError)
  assert.is(error.message, 'createWorker() waited 0.02 s for a session: the tier is down')
})

test('an application that exits leaves nothing behind on the tier, whatever the grace is', async () => {
  const { exited } = startApplication(
    app('const worker = await mediasoup.createWorker(); worker.createRouter(); process.exit(3)'),
    { url: server.url }
  )
  assert.equal(await exited, [3, null])
  await until(() => server.sessions === 0)
})

test('an application that exits when its Worker dies goes on while a spanning tier has a host', async () => {
  const [one, two] = await Promise.all([
    serveUntilEnd(leaf(localMediasoup)),
    serveUntilEnd(leaf(localMediasoup))
  ])
  const hosts = horizontal([remote(one.url), remote(two.url)])
  const { url } = await serveUntilEnd(vertical(hosts, { policy: 'scatter' }))
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
  await one.close()
  assert.is(await lost, 'lost')
  assert.is(await ask(child, 'make one more'), false)
  await two.close()
  assert.equal(await exited, [1, null])
})

test('it shows its token and certificate, and trusts the authority that it is told', async () => {
  const { ca, issue } = await authority()
  const [host, own, issuer] = [await issue('host'), await issue('app'), await keyIssuer()]
  const [keys, token] = [join(folder(), 'keys.jwks'), join(folder(), 'app.jwt')]
  writeFileSync(keys, JSON.stringify({ keys: [issuer.jwk] }))
  writeFileSync(token, `${await issuer.issue()}\n`)
  const options = { tls: { ...host, ca }, tokens: { keys, audience: AUDIENCE } }
  const { url } = await serveUntilEnd(leaf(localMediasoup), options)
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

test('what is exported is what mediasoup exports', () => {
  const mediasoup = require('mediasoup')
  Object.assign(globalThis, { [Symbol.for('mafalda.mediasoup')]: mediasoup })
  const replaced = require('../../register/mediasoup.cjs')
  assert.equal(Object.keys(replaced).toSorted(), Object.keys(mediasoup).toSorted())
  for (const name of Object.keys(mediasoup)) assert.is(replaced[name], mediasoup[name], name)
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
    { url: server.url }
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

for (const [env, sentence] of WRONG)
  test(`a variable that is wrong is refused: ${JSON.stringify(env)}`, () => {
    assert.throws(
      () => settingsOf({ MAFALDA_URL: 'ws://a:1', ...env }),
      ({ message }: Error) => message === sentence
    )
  })

test('several URLs take over from each other, and the wait is a minute', () => {
  const { tier, wait } = settingsOf({ MAFALDA_URL: 'ws://a:1, ws://b:1' })
  assert.is(wait, 60_000)
  assert.is(tier?.name, 'ws://a:1/')
  assert.is(settingsOf({ MAFALDA_URL: 'mock:', MAFALDA_WAIT: '0.5' }).wait, 500)
})

/** As that of Node.js 22.12. */
const OLD_MODULE =
  "data:text/javascript,import%20module%20from'node:module';delete%20module.registerHooks"

test('what it cannot do ends the process before the application runs, with a sentence', async () => {
  const ended = await runApplication(app("console.log('ran')"), {
    url: 'ws://a:1',
    env: { NODE_OPTIONS: `--import=${OLD_MODULE}` }
  })
  const sentence = `mafalda/register: Node.js must be 22.15 or newer (this is ${process.versions.node})`
  assert.equal(ended, { code: 1, stdout: [], stderr: [sentence] })
})

test.run()
