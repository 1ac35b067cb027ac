// The connection behind a client: what it says when there is none, how it is lost, and how it comes
// back.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as localMediasoup from 'mediasoup'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { WebSocketServer } from 'ws'
import { ConnectionError, IncompatibleError, client, connect } from '../../client/index.ts'
import { PROTOCOL } from '../../lib/hello.ts'
import { digest } from '../../lib/methods.ts'
import { type Frame, type Link, type Tier, channel } from '../../lib/tier.ts'
import { leaf, serve } from '../../server/index.ts'
import {
  afterTest,
  audio,
  cleanUp,
  connectLeaf,
  isAlive,
  opus,
  rejection,
  startLeaf,
  until
} from '../helper.ts'

cleanUp(test)

/** An HTTP server with, or without, something behind it. */
async function listen(
  server = createServer((_, response) => response.writeHead(404).end('no such page\n'))
) {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  afterTest(() => server.close())
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Something that opens sessions, and answers each further message, or not. */
async function listenWebSocket(
  answer: (message: string) => unknown,
  protocol: string | false = PROTOCOL
) {
  const http = createServer()
  const server = new WebSocketServer({ server: http, handleProtocols: () => protocol })
  server.on('connection', socket =>
    socket.on('message', data => {
      const { id, method } = JSON.parse(String(data))
      const reply =
        method === 'tier.open'
          ? { jsonrpc: '2.0', id, result: { received: 0, grace: 0 } }
          : answer(String(data))
      if (reply !== undefined)
        socket.send(typeof reply === 'string' ? reply : JSON.stringify(reply))
    })
  )
  afterTest(() => server.clients.forEach(socket => socket.terminate()))
  return listen(http)
}

test('an object of a kind that is none is refused, whatever the name reaches in JavaScript', async () => {
  const hello = { protocol: PROTOCOL, model: digest, mediasoup: localMediasoup.version }
  const url = await listenWebSocket(message => {
    const { id, method } = JSON.parse(message)
    if (id !== undefined)
      return {
        jsonrpc: '2.0',
        id,
        result: method === 'tier.hello' ? hello : { $: 'k3x/1', kind: 'constructor', members: {} }
      }
  })
  const mediasoup = await connect(url)
  afterTest(() => mediasoup.close())
  let told = 0
  mediasoup.observer.on('newworker', () => told++)
  assert.match((await rejection(mediasoup.createWorker())).message, 'unknown kind constructor')
  assert.is(told, 0)
})

test('what is not the URL of a WebSocket is refused, and named', async () => {
  for (const url of ['http://127.0.0.1:4000', '127.0.0.1:4000', 'tier', '']) {
    const error = await rejection(connect(url))
    assert.instance(error, TypeError)
    assert.is(
      error.message,
      `the URL of a tier must be like ws://host:port or wss://host:port (got ${JSON.stringify(url)})`
    )
  }
})

test('a port where nobody listens is named, with the reason', async () => {
  const url = await listen()
  const server = createServer()
  const free = await listen(server)
  server.close()
  await once(server, 'close')
  assert.is.not(free, url)
  const error = await rejection(connect(free))
  assert.instance(error, ConnectionError)
  assert.match(error.message, `cannot connect to ${free}/: `)
  assert.match(error.message, 'ECONNREFUSED')
  assert.is((error.cause as NodeJS.ErrnoException).code, 'ECONNREFUSED')
})

test('a host that does not exist is named, with the reason', async () => {
  const error = await rejection(connect('ws://nowhere.invalid:4000'))
  assert.instance(error, ConnectionError)
  assert.match(
    error.message,
    /^cannot connect to ws:\/\/nowhere\.invalid:4000\/: .*(ENOTFOUND|EAI_AGAIN)/
  )
})

test('a web server that is no Mafalda is named, with what it answered', async () => {
  const url = await listen()
  const error = await rejection(connect(url))
  assert.instance(error, ConnectionError)
  assert.is(error.message, `cannot connect to ${url}/: it answered 404 no such page`)
})

test('a WebSocket server that speaks something else is no tier', async () => {
  for (const protocol of [false, 'chat'] as const) {
    const url = await listenWebSocket(() => undefined, protocol)
    const error = await rejection(connect(url))
    assert.instance(error, ConnectionError)
    assert.match(
      error.message,
      `cannot connect to ${url}/: Server sent ${protocol ? 'an invalid' : 'no'} subprotocol`
    )
  }
})

test('a tier that never says hello is given up after the timeout', async () => {
  const error = await rejection(connect(await listenWebSocket(() => undefined), { timeout: 100 }))
  assert.instance(error, ConnectionError)
  assert.is(error.message, 'the tier did not say hello within 100 ms')
})

test('so is one that only talks nonsense', async () => {
  const error = await rejection(connect(await listenWebSocket(() => 'cuckoo'), { timeout: 100 }))
  assert.instance(error, ConnectionError)
})

test('a tier that does not open a session is given up, and quoted if it said something', async () => {
  const answers = [
    'cuckoo',
    '{"jsonrpc":"2.0","method":"tier.load","params":[]}',
    '{"jsonrpc":"2.0","id":0,"result":{"received":"all"}}',
    undefined
  ]
  for (const answer of answers) {
    const server = new WebSocketServer({
      port: 0,
      host: '127.0.0.1',
      handleProtocols: () => PROTOCOL
    })
    afterTest(() => server.close())
    await once(server, 'listening')
    server.on('connection', socket => socket.on('message', () => answer && socket.send(answer)))
    const error = await rejection(
      connect(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, {
        timeout: answer ? 60_000 : 100
      })
    )
    assert.instance(error, answer ? IncompatibleError : ConnectionError)
    assert.is(
      error.message,
      answer
        ? `the tier must speak mafalda.v1: it answered tier.open with ${answer}`
        : 'the tier did not open the session within 100 ms'
    )
  }
})

test('a tier that answers hello with something else is refused', async () => {
  for (const result of [null, {}, 7, 'hello', { protocol: 'mafalda.v0' }]) {
    const error = await rejection(
      connect(
        await listenWebSocket(message => ({ jsonrpc: '2.0', id: JSON.parse(message).id, result }))
      )
    )
    assert.instance(error, IncompatibleError, JSON.stringify(result))
    assert.match(error.message, 'the tier must speak mafalda.v1')
  }
})

test('a tier that refuses hello is quoted', async () => {
  const error = await rejection(
    connect(
      await listenWebSocket(message => ({
        jsonrpc: '2.0',
        id: JSON.parse(message).id,
        error: { code: -32601, message: 'never heard of it' }
      }))
    )
  )
  assert.match(error.message, 'never heard of it')
})

/** A tier whose frames to the client may be changed, or held back. */
function altered(
  tier: Tier,
  alter: (frame: Frame) => Frame | undefined | Promise<Frame>
): Tier & { links: Link[] } {
  const links: Link[] = []
  return {
    links,
    close: () => tier.close(),
    async open() {
      const link = await tier.open()
      const [ours, theirs] = channel()
      links.push(link)
      link.on('frame', async frame => {
        const changed = await alter(frame)
        if (changed) theirs.send(changed)
      })
      theirs.on('frame', frame => link.send(frame))
      link.on('close', error => theirs.close(error))
      theirs.on('close', error => link.close(error))
      return ours
    }
  }
}

const isHello = (frame: Frame) => frame.includes('"model"')

const withHello = (changes: object) =>
  altered(leaf(localMediasoup), frame => {
    if (!isHello(frame)) return frame
    const message = JSON.parse(frame.toString())
    return JSON.stringify({ ...message, result: { ...message.result, ...changes } })
  })

test('another version of mediasoup with the same API is used, and both versions are named in a warning', async () => {
  const warned = once(process, 'warning')
  const mediasoup = await client(withHello({ mediasoup: '3.99.9' }))
  afterTest(() => mediasoup.close())
  const [warning] = await warned
  assert.is(warning.message, `the tier has mediasoup 3.99.9, this client ${localMediasoup.version}`)
  assert.is(warning.code, 'MAFALDA_VERSIONS')
  assert.is(mediasoup.version, '3.99.9')
  assert.ok((await mediasoup.createWorker()).pid)
})

test('a tier with another API is refused, and both versions are named', async () => {
  const error = await rejection(
    client(withHello({ mediasoup: '3.99.9', model: '0123456789abcdef' }))
  )
  assert.instance(error, IncompatibleError)
  assert.match(error.message, '3.99.9')
  assert.match(error.message, localMediasoup.version)
})

test('what is called after close() is rejected, and close() may be called again', async () => {
  const { mediasoup, url } = await connectLeaf()
  const worker = await mediasoup.createWorker()
  const heard: string[] = []
  mediasoup.connection.on('lost', () => heard.push('lost'))
  mediasoup.connection.on('close', () => heard.push('close'))
  assert.is(mediasoup.connection.connected, true)
  mediasoup.close()
  mediasoup.close()

  assert.equal(heard, ['close'])
  assert.is(mediasoup.connection.connected, false)
  assert.ok(worker.closed)
  assert.is(worker.died, false)
  const error = await rejection(mediasoup.createWorker())
  assert.instance(error, ConnectionError)
  assert.is(error.message, 'the connection is closed')
  assert.instance(await rejection(worker.createRouter()), mediasoup.errors.WorkerClosedError)
  // And the host knows: its Worker is closed first, and then the session.
  await until(() => !isAlive(worker.pid))
  const health = `${url.replace('ws', 'http')}/healthz`
  await until(async () => (await (await fetch(health)).json()).sessions === 0)
})

test('calls in flight are rejected by close()', async () => {
  const { mediasoup, child } = await connectLeaf()
  const worker = await mediasoup.createWorker()
  child.kill('SIGSTOP') // So that nothing is answered.
  afterTest(() => child.kill('SIGCONT'))
  const rejections = [
    rejection(worker.dump()),
    rejection(worker.createRouter()),
    rejection(mediasoup.createWorker())
  ]
  mediasoup.close()
  const [dump, router, other] = await Promise.all(rejections)
  for (const error of [dump!, router!]) assert.instance(error, mediasoup.errors.WorkerClosedError)
  assert.instance(other, ConnectionError)
  assert.match(other!.message, 'the connection was closed by this client')
})

test('when the host is lost, its Workers die as in mediasoup, calls are rejected, and it is said why', async () => {
  const { mediasoup, child } = await connectLeaf()
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  const transport = await router.createDirectTransport()
  const producer = await transport.produce(audio())
  const heard: string[] = []
  const deaths: Error[] = []
  producer.on('transportclose', () => heard.push('producer transportclose'))
  producer.observer.on('close', () => heard.push('producer close'))
  transport.on('routerclose', () => heard.push('transport routerclose'))
  router.on('workerclose', () => heard.push('router workerclose'))
  worker.on('died', error => heard.push('worker died') && deaths.push(error))
  worker.on('subprocessclose', () => heard.push('worker subprocessclose'))
  worker.observer.on('close', () => heard.push('worker close'))
  for (const event of ['lost', 'died'] as const)
    mediasoup.connection.on(event, error => heard.push(event) && deaths.push(error))

  child.kill('SIGSTOP') // So that nothing is answered.
  const rejections = [rejection(producer.pause()), rejection(mediasoup.createWorker())]
  child.kill('SIGKILL')
  const [pause, other] = await Promise.all(rejections)
  await until(() => heard.includes('died'))

  assert.ok(worker.closed && worker.died && worker.subprocessClosed)
  assert.equal(heard, [
    'lost',
    'producer transportclose',
    'producer close',
    'transport routerclose',
    'router workerclose',
    'worker died',
    'worker subprocessclose',
    'worker close',
    'died'
  ])
  for (const error of [...deaths, other!]) {
    assert.instance(error, ConnectionError)
    assert.match(error.message, 'the connection was lost')
  }
  assert.instance(pause, mediasoup.errors.WorkerClosedError)
  assert.instance(pause!.cause, ConnectionError)
  assert.is(mediasoup.connection.connected, false)
  const late = await rejection(mediasoup.createWorker())
  assert.instance(late, ConnectionError)
  assert.is(late.message, 'the session died, and there is no new one yet')
})

test('a host that shuts down says so', async () => {
  const server = await serve(leaf(localMediasoup))
  const mediasoup = await connect(server.url, { reconnect: false })
  const worker = await mediasoup.createWorker()
  const died = once(worker, 'died')
  await server.close()
  const [error] = await died
  assert.is(error.message, 'the connection was lost: the server is shutting down')
  assert.is(error.wasClean, true)
})

test('a host that is frozen counts as lost, after the silence', async () => {
  const { url, child } = await startLeaf(['--grace', '200'])
  const mediasoup = await connect(url, { silence: 2_000, reconnect: false })
  const worker = await mediasoup.createWorker()
  const died = once(worker, 'died')
  child.kill('SIGSTOP')
  afterTest(() => child.kill('SIGCONT'))
  const [error] = await died
  assert.is(
    error.message,
    'the connection was lost: the peer has been silent for 2000 ms, and not regained within 200 ms'
  )
})

test('when the host is back, the connection is regained, and Workers can be created again', async () => {
  const { mediasoup, child, url } = await connectLeaf()
  const old = await mediasoup.createWorker()
  const heard: string[] = []
  const failures: Error[] = []
  for (const event of ['lost', 'died', 'regained', 'close'] as const)
    mediasoup.connection.on(event, () => heard.push(event))
  mediasoup.connection.on('failed', error => failures.push(error))
  const workers: unknown[] = []
  mediasoup.observer.on('newworker', worker => workers.push(worker))

  child.kill('SIGKILL')
  await until(() => failures.length > 1)
  assert.match(failures[0]!.message, `cannot connect to ${url}/`)
  await startLeaf(['--listen', new URL(url).host])
  await until(() => heard.includes('regained'))

  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  assert.is((await router.dump()).id, router.id)
  assert.equal(workers, [worker])
  assert.ok(old.closed && !worker.closed)
  assert.ok(mediasoup.connection.connected)
  assert.equal(heard, ['lost', 'died', 'regained'])
})

test('without reconnect, a lost connection is over', async () => {
  const { url, child } = await startLeaf()
  const mediasoup = await connect(url, { reconnect: false })
  const heard: string[] = []
  for (const event of ['lost', 'died', 'failed', 'regained', 'close'] as const)
    mediasoup.connection.on(event, () => heard.push(event))
  child.kill('SIGKILL')
  await until(() => heard.includes('close'))
  assert.equal(heard, ['lost', 'died', 'close'])
  assert.is((await rejection(mediasoup.createWorker())).message, 'the connection is closed')
})

test('a connection that is closed while it is being regained does not come back', async () => {
  let greetings = 0
  let release = (): unknown => undefined
  const released = new Promise<void>(resolve => {
    release = resolve
  })
  // The second hello takes its time.
  const tier = altered(leaf(localMediasoup), async frame => {
    if (isHello(frame) && ++greetings === 2) await released
    return frame
  })
  const mediasoup = await client(tier)
  const heard: string[] = []
  for (const event of ['lost', 'died', 'regained', 'close'] as const)
    mediasoup.connection.on(event, () => heard.push(event))

  tier.links[0]!.close()
  await until(() => greetings === 2)
  let ended = false
  tier.links[1]!.on('close', () => {
    ended = true
  })
  mediasoup.close()
  release()
  await until(() => ended)
  assert.is(mediasoup.connection.connected, false)
  assert.equal(heard, ['lost', 'died', 'close'])
})

/** Runs a program with `connect` and `url`; it has to end by itself. */
async function program(code: string, url: string) {
  const source = `import { connect } from ${JSON.stringify(new URL('../../client/index.ts', import.meta.url).href)}
    const url = ${JSON.stringify(url)}
    ${code}`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', source], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  afterTest(() => child.kill('SIGKILL'))
  let said = ''
  child.stdout.on('data', chunk => {
    said += chunk
  })
  await until(() => child.exitCode !== null || child.signalCode !== null)
  return { code: child.exitCode, said }
}

test('a program ends by itself once it has closed its connection', async () => {
  const { url } = await startLeaf()
  const ended = await program(
    `
    const mediasoup = await connect(url)
    const worker = await mediasoup.createWorker()
    const router = await worker.createRouter()
    await router.createDirectTransport()
    mediasoup.close()
    console.log('closed')`,
    url
  )
  assert.equal(ended, { code: 0, said: 'closed\n' })
})

test('a program ends by itself when it cannot connect', async () => {
  const ended = await program(
    'await connect(url, { timeout: 60_000 }).catch(error => console.log(error.name))',
    await listen()
  )
  assert.equal(ended, { code: 0, said: 'ConnectionError\n' })
})

test('a program ends by itself when it closes a lost connection', async () => {
  const { url, child } = await startLeaf()
  const ended = await program(
    `
    const mediasoup = await connect(url)
    mediasoup.connection.on('failed', () => mediasoup.close())
    mediasoup.connection.on('close', () => console.log('closed'))
    process.kill(${child.pid}, 'SIGKILL')`,
    url
  )
  assert.equal(ended, { code: 0, said: 'closed\n' })
})

test.run()
