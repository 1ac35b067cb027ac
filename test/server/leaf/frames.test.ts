// Whatever a peer sends, it is told what is wrong with it, and nobody else minds.

import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect as connectSocket } from 'node:net'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { connect } from '../../../client/index.ts'
import { PROTOCOL } from '../../../lib/hello.ts'
import { afterTest, audio, cleanUp, isAlive, opus, raw, startLeaf, until } from '../../helper.ts'

type Peer = Awaited<ReturnType<typeof raw>>

cleanUp(test)

/** A session, of another peer, that notices when the leaf or its worker suffers. */
async function openBystander(url: string) {
  const mediasoup = await connect(url)
  afterTest(() => mediasoup.close())
  const worker = await mediasoup.createWorker()
  return {
    worker,
    async work() {
      const router = await worker.createRouter({ mediaCodecs: [opus] })
      assert.is((await router.dump()).id, router.id)
    }
  }
}

/** A peer with a worker and a router of its own. */
async function openPeer(url: string) {
  const peer = await raw(url)
  const worker = await create(peer, 'mediasoup.createWorker', {})
  const router = await create(peer, 'Worker.createRouter', worker.$, { mediaCodecs: [opus] })
  return { ...peer, worker: worker.$, router: router.$, pids: () => pidsIn(peer) }
}

async function create(peer: Peer, method: string, ...params: unknown[]) {
  const { result, error } = await peer.call(method, ...params)
  assert.is(error, undefined)
  return result as { $: string; members: Record<string, unknown> }
}

/** Of all its workers. */
const pidsIn = ({ heard }: Peer) =>
  heard
    .map(({ result }) => (result as { members?: { pid?: number } } | undefined)?.members?.pid)
    .filter(pid => pid !== undefined)

type Offender = Awaited<ReturnType<typeof openPeer>>

/** A test in which a peer offends, while a bystander works, and ends. */
function offence(
  what: string,
  offend: (offender: Offender, url: string) => Promise<unknown>,
  args: string[] = []
) {
  test(what, async () => {
    const { url, child } = await startLeaf(args)
    const bystander = await openBystander(url)
    await bystander.work()
    const offender = await openPeer(url)

    await offend(offender, url)
    await bystander.work()

    offender.socket.terminate()
    assert.ok(offender.pids().length)
    await until(() => !offender.pids().some(isAlive))
    await bystander.work()
    assert.is(child.exitCode, null)
    assert.ok(isAlive(bystander.worker.pid))
  })
}

/**
 * Sends a frame; its answer is an error with this id, this code and such a sentence. And the
 * session goes on.
 */
async function refused(peer: Offender, frame: unknown, id: unknown, code: number, message: RegExp) {
  const answer = await peer.answer(frame)
  assert.is(answer.id, id)
  assert.is(answer.error!.code, code, answer.error!.message)
  assert.match(answer.error!.message, message)
  assert.is(JSON.stringify(answer.error).includes('    at '), false, 'no stack traces on the wire')
  assert.is((await peer.call('Router.dump', peer.router)).error, undefined)
}

const request = (method: unknown, params: unknown = [], id: unknown = 7) => ({
  jsonrpc: '2.0',
  id,
  method,
  params
})

const frames: [what: string, frame: unknown, id: unknown, code: number, message: RegExp][] = [
  ['what is not JSON', 'hello?', null, -32700, /in JSON/],
  ['half a message', '{"jsonrpc":"2.0","id":7,"meth', null, -32700, /in JSON/],
  ['an empty frame', '', null, -32700, /in JSON/],
  ['a number', '7', null, -32600, /is an object \(got number\)/],
  ['null', 'null', null, -32600, /is an object \(got null\)/],
  ['an object that is nothing', {}, null, -32600, /"jsonrpc": "2.0"/],
  [
    'another JSON-RPC',
    { jsonrpc: '1.0', id: 7, method: 'rpc.discover' },
    7,
    -32600,
    /"jsonrpc": "2.0"/
  ],
  ['a method that is no string', request(['rpc.discover']), 7, -32600, /is a string/],
  [
    'an id that is an object',
    request('rpc.discover', [], { a: 1 }),
    null,
    -32600,
    /a number or a string/
  ],
  ['an id that is null', request('rpc.discover', [], null), null, -32600, /a number or a string/],
  ['params by name', request('Router.dump', { handle: 'x' }), 7, -32602, /are an array/],
  [
    'an answer to a question that nobody asked',
    { jsonrpc: '2.0', id: 7, result: {} },
    7,
    -32600,
    /expects no answers/
  ],
  ['a batch', [request('rpc.discover')], null, -32600, /batches are not supported/],
  ['binary garbage', randomBytes(1000), null, -32700, /header of a binary frame|in JSON/],
  ['one byte', Buffer.of(0), null, -32700, /two bytes/],
  [
    'a binary frame that names no payload',
    binary({ jsonrpc: '2.0', id: 7, method: 'rpc.discover', params: [] }),
    7,
    -32600,
    /names its payload/
  ]
]

function binary(header: unknown, payload = Buffer.from('payload')) {
  const text = JSON.stringify(header)
  return Buffer.concat([
    Buffer.of(text.length >> 8, text.length & 0xff),
    Buffer.from(text),
    payload
  ])
}

for (const [what, frame, id, code, message] of frames) {
  offence(`${what} is refused with ${code} and a sentence`, offender =>
    refused(offender, frame, id, code, message)
  )
}

offence(
  'what is not a method of the model is unknown, whatever it reaches in JavaScript',
  async offender => {
    const names = [
      '',
      '.',
      'Worker',
      'Worker.',
      '.close',
      'Worker.fly',
      'worker.dump',
      'Room.create',
      'tier.fly',
      'rpc.call',
      'constructor',
      'toString',
      '__proto__',
      '__proto__.x',
      'Worker.constructor',
      'Worker.__proto__',
      'Worker.toString',
      'Worker.hasOwnProperty',
      'mediasoup.constructor',
      'mediasoup.close',
      // Hidden members, and what all emitters have.
      'Router.workerClosed',
      'Router.addPipeTransportPair',
      'WebRtcTransport.routerClosed',
      'WebRtcServer.handleWebRtcTransport',
      'Producer.transportClosed',
      'Worker.emit',
      'Worker.safeEmit',
      'Worker.on',
      'Worker.removeAllListeners',
      'Worker.workerDied',
      // Properties, and what is answered on the spot.
      'Worker.pid',
      'Worker.appData',
      'Worker.observer',
      'Router.canConsume',
      'mediasoup.setLogEventListeners',
      'mediasoup.errors',
      'mediasoup.version'
    ]
    for (const name of names) {
      await refused(
        offender,
        request(name, [offender.router]),
        7,
        -32601,
        /^unknown method ".*": rpc\.discover lists them all$/
      )
    }
  }
)

offence(
  'a notification of an unknown method is answered with an error that has no id',
  async offender => {
    await refused(
      offender,
      { jsonrpc: '2.0', method: 'Router.workerClosed', params: [offender.router] },
      null,
      -32601,
      /unknown method "Router\.workerClosed"/
    )
  }
)

offence('a handle that is unknown, or of another kind, is not found', async offender => {
  for (const handle of ['k3x/17', `${offender.router}0`, offender.worker]) {
    const answer = await offender.call('Router.dump', handle)
    assert.equal(answer.error, {
      code: -32000,
      message: `Router with handle "${handle}" not found`,
      data: { name: 'NotFoundError' }
    })
  }
})

offence('what is no handle is not found either, and not repeated', async offender => {
  for (const params of [
    [],
    [''],
    ['__proto__'],
    ['constructor'],
    [7],
    [null],
    [true],
    [{}],
    [[offender.router]],
    [{ $: offender.router }]
  ]) {
    const answer = await offender.call('Router.dump', ...params)
    assert.equal(answer.error, {
      code: -32000,
      message: 'Router not found: a handle is like "k3x/17", and this is none',
      data: { name: 'NotFoundError' }
    })
  }
})

offence('the handle of a closed object is not found', async offender => {
  offender.send({ jsonrpc: '2.0', method: 'Router.close', params: [offender.router] })
  const { error } = await offender.call('Router.dump', offender.router)
  assert.is(error!.code, -32000)
  assert.equal(error!.data, { name: 'NotFoundError' })
})

offence(
  "another session's handle is not found, as object and as argument, and what it names is not closed",
  async (offender, url) => {
    const other = await openPeer(url)
    const alien = (handle: string) => ({
      code: -32000,
      message: `Router with handle "${handle}" not found`,
      data: { name: 'NotFoundError' }
    })

    assert.equal((await offender.call('Router.dump', other.router)).error, alien(other.router))
    assert.equal((await offender.call('Router.close', other.router)).error, alien(other.router))
    offender.send({ jsonrpc: '2.0', method: 'Router.close', params: [other.router] })
    offender.send({ jsonrpc: '2.0', method: 'Worker.close', params: [other.worker] })
    const piped = await offender.call('Router.pipeToRouter', offender.router, {
      producerId: 'p',
      router: { $: other.router }
    })
    assert.match(piped.error!.message, `object with handle "${other.router}" not found`)

    assert.is((await other.call('Router.dump', other.router)).error, undefined)
    assert.ok(other.pids().every(isAlive))
  }
)

offence(
  'arguments of a wrong number or type are refused with the words of mediasoup, or of JavaScript',
  async offender => {
    const { worker, router } = offender
    const calls: [method: string, params: unknown[], name: string][] = [
      ['mediasoup.createWorker', [{ rtcMinPort: 2000, rtcMaxPort: 1000 }], 'TypeError'],
      ['mediasoup.createWorker', [{ appData: 'mine' }], 'TypeError'],
      ['Worker.createRouter', [worker, { mediaCodecs: 7 }], 'TypeError'],
      ['Worker.createRouter', [worker, { mediaCodecs: [{ kind: 'smell' }] }], 'TypeError'],
      ['Worker.createWebRtcServer', [worker], 'TypeError'],
      ['Router.createWebRtcTransport', [router], 'TypeError'],
      ['Router.createWebRtcTransport', [router, 7, 8, 9], 'TypeError'],
      ['Router.createWebRtcTransport', [router, { listenInfos: 'here' }], 'TypeError'],
      ['Router.createPlainTransport', [router, [[]]], 'TypeError'],
      ['Router.createAudioLevelObserver', [router, { interval: 'often' }], 'TypeError'],
      ['Router.pipeToRouter', [router], 'TypeError'],
      ['Router.updateMediaCodecs', [router, 'all of them'], 'TypeError']
    ]
    for (const [method, params, name] of calls) {
      const { error } = await offender.call(method, ...params)
      assert.is(error?.code, -32000, method)
      assert.is(error!.data!.name, name, `${method}: ${error!.message}`)
      assert.ok(error!.message, method)
    }
    assert.is((await offender.call('Router.dump', router)).error, undefined)
  }
)

offence('what is no Router is refused where a Router is expected', async (offender, url) => {
  const transport = await create(offender, 'Router.createDirectTransport', offender.router)
  const producer = await create(offender, 'DirectTransport.produce', transport.$, audio())
  for (const router of [
    {},
    7,
    [],
    { id: producer.members.id },
    { $: transport.$ },
    { $: offender.worker }
  ]) {
    const { error } = await offender.call('Router.pipeToRouter', offender.router, {
      producerId: producer.members.id,
      router
    })
    assert.ok(error?.message, JSON.stringify(router))
  }
  await openPeer(url)
})

offence('more arguments than a method takes are left aside', async offender => {
  assert.is(
    (await offender.call('Router.dump', offender.router, { more: true }, 8, 9)).error,
    undefined
  )
})

offence('messages that nest 10,000 levels deep are refused', async offender => {
  const deep = '['.repeat(10_000) + ']'.repeat(10_000)
  const objects = '{"a":'.repeat(10_000) + '1' + '}'.repeat(10_000)
  for (const argument of [deep, objects]) {
    await refused(
      offender,
      `{"jsonrpc":"2.0","id":7,"method":"Worker.createRouter","params":["${offender.worker}",${argument}]}`,
      7,
      -32012,
      /at most 32 levels deep/
    )
  }
  await refused(offender, deep, null, -32012, /at most 32 levels deep/)
})

offence('what is answered is not sent without an id', async offender => {
  for (const [method, ...params] of [
    ['Worker.createRouter', offender.worker, {}],
    ['Router.dump', offender.router],
    ['mediasoup.createWorker', {}]
  ]) {
    await refused(
      offender,
      { jsonrpc: '2.0', method, params },
      null,
      -32600,
      new RegExp(`^${method} is answered, so it needs an id$`)
    )
  }
})

offence('a member named __proto__ is refused', async offender => {
  await refused(
    offender,
    `{"jsonrpc":"2.0","id":7,"method":"Worker.createRouter","params":["${offender.worker}",{"__proto__":{"polluted":1}}]}`,
    7,
    -32602,
    /"__proto__"/
  )
})

offence(
  'an id that is in flight is refused, and the first request with it is answered',
  async offender => {
    // A process takes a while to start.
    const frame = request('mediasoup.createWorker', [{}], 'twice')
    offender.send(frame)
    offender.send(frame)
    const answers = await until(() => {
      const own = offender.heard.filter(({ id }) => id === 'twice')
      return own.length === 2 && own
    })
    assert.equal(
      answers.map(({ error }) => error?.code),
      [-32600, undefined]
    )
    assert.match(answers[0]!.error!.message, /unique while it is in flight \("twice" is not\)/)
    // And then it is free again.
    offender.send(frame)
    await until(
      () => offender.heard.filter(({ id, result }) => id === 'twice' && result).length === 2
    )
  }
)

offence(
  'a frame that is larger than allowed closes the connection with 1009',
  async offender => {
    offender.send(JSON.stringify(request('rpc.discover', ['x'.repeat(20_000)])))
    assert.is((await offender.closed).code, 1009)
  },
  ['--max-payload', '10000']
)

offence('text that is not UTF-8 closes the connection with 1007', async offender => {
  offender.socket.send(Buffer.of(0xc3, 0x28), { binary: false })
  assert.is((await offender.closed).code, 1007)
})

test('an opening whose params are no array is refused with its id, and so is its connection', async () => {
  const { url } = await startLeaf()
  const peer = await raw(url)
  const { id, error } = await peer.answer({
    jsonrpc: '2.0',
    id: 7,
    method: 'tier.open',
    params: 'session'
  })
  assert.equal([id, error!.code], [7, -32602])
  assert.is((await peer.closed).code, 1011)
})

// mediasoup throws while it builds its message to the worker, and can send no other one any more:
// also not the one that closes the Worker.
const HALF_BUILT = {
  listenInfos: [{ protocol: 'udp', ip: '127.0.0.1', port: { valueOf: 0, toString: 0 } }]
}

offence(
  'a call with arguments that mediasoup can build no message of fails, and no other one, not even one that is under way',
  async offender => {
    const transport = await create(offender, 'Router.createDirectTransport', offender.router)
    const {
      members: { id: dataProducerId }
    } = await create(offender, 'DirectTransport.produceData', transport.$, {})
    const { $: worker } = await create(offender, 'mediasoup.createWorker', {})
    const { $: router } = await create(offender, 'Worker.createRouter', worker, {})
    // In one turn.
    const [piped, broken, created] = await Promise.all([
      offender.call('Router.pipeToRouter', offender.router, {
        dataProducerId,
        router: { $: router }
      }),
      offender.call('Worker.createWebRtcServer', offender.worker, HALF_BUILT),
      offender.call('Worker.createRouter', offender.worker, {})
    ])
    assert.match(broken.error!.message, /primitive value/)
    assert.equal([piped.error, created.error], [undefined, undefined])
  }
)

offence(
  'what is closed on a Worker that arguments have broken is closed, and what is on it',
  async (offender, url) => {
    const load = async () =>
      (await offender.call('tier.load')).result as { routers: number; consumers: number }
    const transport = await create(offender, 'Router.createDirectTransport', offender.router)
    const {
      members: { id: dataProducerId }
    } = await create(offender, 'DirectTransport.produceData', transport.$, {})
    const {
      members: { id: producerId }
    } = await create(offender, 'DirectTransport.produce', transport.$, audio())
    await create(offender, 'DirectTransport.consumeData', transport.$, { dataProducerId })
    const rtpCapabilities = {
      codecs: [{ ...opus, preferredPayloadType: 100 }],
      headerExtensions: []
    }
    await create(offender, 'DirectTransport.consume', transport.$, { producerId, rtpCapabilities })
    const before = await load()

    await offender.call('Worker.createWebRtcServer', offender.worker, HALF_BUILT)
    assert.is((await offender.call('DirectTransport.close', transport.$)).error, undefined)
    assert.equal([before.consumers, (await load()).consumers], [1, 0])
    await openPeer(url)
  }
)

test('a peer that says nothing and answers no ping loses its session, within the silence that is allowed', async () => {
  const { url } = await startLeaf(['--silence', '2000'])
  const bystander = await openBystander(url)
  const mute = await openMute(url)
  mute.send(JSON.stringify(request('mediasoup.createWorker', [{}])))
  const pid = await until(() => Number(/"pid":(\d+)/.exec(mute.heard())?.[1]))
  assert.ok(isAlive(pid))

  await until(() => !isAlive(pid))
  await mute.closed
  await bystander.work()
})

/**
 * A bare TCP connection that becomes a WebSocket, and from then on only sends what it is told to:
 * also no pong.
 */
async function openMute(url: string) {
  const { hostname, port, host } = new URL(url)
  const socket = connectSocket(Number(port), hostname)
  afterTest(() => socket.destroy())
  let heard = ''
  socket.on('data', chunk => {
    heard += chunk.toString('latin1')
  })
  const key = randomBytes(16).toString('base64')
  socket.write(
    [
      'GET / HTTP/1.1',
      `Host: ${host}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
      `Sec-WebSocket-Key: ${key}`,
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Protocol: ${PROTOCOL}`,
      '',
      ''
    ].join('\r\n')
  )
  const accepted = createHash('sha1')
    .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest('base64')
  await until(() => heard.includes(`Sec-WebSocket-Accept: ${accepted}`))
  return {
    heard: () => heard,
    closed: once(socket, 'close'),
    send(text: string) {
      // Final text frame, masked with zeroes.
      assert.ok(text.length < 126)
      socket.write(
        Buffer.concat([Buffer.of(0x81, 0x80 | text.length, 0, 0, 0, 0), Buffer.from(text)])
      )
    }
  }
}

test.run()
