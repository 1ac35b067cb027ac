// What a leaf does not accept from its clients, what it adds, and what its sessions have to do with
// each other: nothing.

import { X509Certificate } from 'node:crypto'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mock as mocked } from 'node:test'
import * as localMediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type RemoteMediasoup, client, connect } from '../../../client/index.ts'
import { certificate } from '../../../conformance/certificate.ts'
import { leaf } from '../../../server/index.ts'
import {
  afterTest,
  audio,
  cleanUp,
  connectLeaf,
  isAlive,
  mock,
  opus,
  rejection,
  startLeaf,
  until
} from '../../helper.ts'

const { timers } = mocked

cleanUp(test)

test('the worker is that of the host: another program is refused, its own may be named', async () => {
  const mediasoup = await mock()
  for (const workerBin of [
    '/bin/sh',
    './mediasoup-worker',
    `${mediasoup.workerBin}/../mediasoup-worker-dev`,
    ''
  ]) {
    const error = await rejection(mediasoup.createWorker({ workerBin }))
    assert.instance(error, TypeError)
    assert.is(
      error.message,
      `workerBin must be the one of the host, or not be given (got ${workerBin})`
    )
  }
  const worker = await mediasoup.createWorker({ workerBin: mediasoup.workerBin })
  assert.ok(isAlive(worker.pid))
})

/** Two folders with a certificate and its key each. */
async function openFolders() {
  const root = await mkdtemp(join(tmpdir(), 'mafalda-leaf-'))
  afterTest(() => rm(root, { recursive: true }))
  const folder = async (name: string) => {
    const path = join(root, name)
    const { cert, key } = certificate(name)
    await mkdir(path)
    await writeFile(join(path, 'cert.pem'), cert)
    await writeFile(join(path, 'key.pem'), key)
    return { path, fingerprint: new X509Certificate(cert).fingerprint256 }
  }
  return { root, allowed: await folder('allowed'), other: await folder('allowed-not') }
}

const filesIn = (folder: string): ms.WorkerSettings => ({
  dtlsCertificateFile: join(folder, 'cert.pem'),
  dtlsPrivateKeyFile: join(folder, 'key.pem')
})

async function fingerprintOf(worker: ms.Worker) {
  const router = await worker.createRouter()
  const { dtlsParameters } = await router.createWebRtcTransport({
    listenInfos: [{ protocol: 'udp', ip: '127.0.0.1' }]
  })
  return dtlsParameters.fingerprints.find(({ algorithm }) => algorithm === 'sha-256')!.value
}

test('no file of the host may be named, unless its operator allows the folder', async () => {
  const { allowed } = await openFolders()
  const mediasoup = await mock()
  for (const [name, file] of Object.entries(filesIn(allowed.path))) {
    const error = await rejection(mediasoup.createWorker({ [name]: file }))
    assert.instance(error, TypeError)
    assert.is(
      error.message,
      `${name} must be in a folder that the operator of the host allows (--allow-files): ${file} is not`
    )
  }
})

test('a DTLS certificate in an allowed folder is used', async () => {
  const { allowed } = await openFolders()
  const mediasoup = await mock({ allowFiles: [allowed.path] })
  const worker = await mediasoup.createWorker(filesIn(allowed.path))
  assert.is(await fingerprintOf(worker), allowed.fingerprint)
})

test('an allowed folder may be a symbolic link itself', async () => {
  const { root, allowed } = await openFolders()
  await symlink(allowed.path, join(root, 'link'))
  const mediasoup = await mock({ allowFiles: [join(root, 'link')] })
  assert.is(
    await fingerprintOf(await mediasoup.createWorker(filesIn(join(root, 'link')))),
    allowed.fingerprint
  )
  assert.is(
    await fingerprintOf(await mediasoup.createWorker(filesIn(allowed.path))),
    allowed.fingerprint
  )
})

test('no path leads out of an allowed folder', async () => {
  const { allowed, other } = await openFolders()
  const mediasoup = await mock({ allowFiles: [allowed.path] })
  await symlink(join(other.path, 'cert.pem'), join(allowed.path, 'file-link.pem'))
  await symlink(other.path, join(allowed.path, 'folder-link'))
  const outside: unknown[] = [
    join(other.path, 'cert.pem'),
    `${allowed.path}/../allowed-not/cert.pem`,
    join(allowed.path, 'file-link.pem'),
    join(allowed.path, 'folder-link/cert.pem'),
    allowed.path,
    '/etc/hostname',
    'cert.pem',
    '',
    7,
    {},
    [join(allowed.path, 'cert.pem')]
  ]
  for (const file of outside) {
    const error = await rejection(
      mediasoup.createWorker({
        dtlsCertificateFile: file as string,
        dtlsPrivateKeyFile: join(allowed.path, 'key.pem')
      })
    )
    assert.instance(error, TypeError, String(file))
    assert.match(
      error.message,
      'dtlsCertificateFile must be in a folder that the operator of the host allows'
    )
  }
})

test("an allowed file that is missing is the worker's to complain about", async () => {
  const { allowed } = await openFolders()
  const mediasoup = await mock({ allowFiles: [allowed.path] })
  const error = await rejection(
    mediasoup.createWorker({
      ...filesIn(allowed.path),
      dtlsCertificateFile: join(allowed.path, 'nothing.pem')
    })
  )
  assert.is(error.message, 'wrong settings')
})

const OURS = '203.0.113.7'
const THEIRS = '198.51.100.9'

type Listen = (router: ms.Router, worker: ms.Worker) => Promise<unknown[]>

const webRtc =
  (options: ms.WebRtcTransportOptions): Listen =>
  async router =>
    (await router.createWebRtcTransport(options)).iceCandidates.map(({ address }) => address)

const webRtcServer =
  (...listenInfos: ms.TransportListenInfo[]): Listen =>
  async (router, worker) => {
    const server = await worker.createWebRtcServer({ listenInfos })
    return webRtc({ webRtcServer: server })(router, worker)
  }

const plain =
  (options: ms.PlainTransportOptions): Listen =>
  async router => {
    const { tuple, rtcpTuple } = await router.createPlainTransport(options)
    return [tuple.localAddress, rtcpTuple?.localAddress]
  }

const pipe =
  (options: ms.PipeTransportOptions): Listen =>
  async router => [(await router.createPipeTransport(options)).tuple.localAddress]

const udp = (ip: string, rest: Partial<ms.TransportListenInfo> = {}): ms.TransportListenInfo => ({
  protocol: 'udp',
  ip,
  ...rest
})

const announcements: [what: string, listen: Listen, addresses: unknown[]][] = [
  [
    'the listenInfos of a WebRtcTransport',
    webRtc({ listenInfos: [udp('0.0.0.0'), { protocol: 'tcp', ip: '0.0.0.0' }] }),
    [OURS, OURS]
  ],
  [
    'those listenInfos that need it',
    webRtc({ listenInfos: [udp('0.0.0.0'), udp('127.0.0.1')] }),
    [OURS, '127.0.0.1']
  ],
  ['an IPv6 listenInfo', webRtc({ listenInfos: [udp('::')] }), [OURS]],
  ['the listenIps of a WebRtcTransport, as strings', webRtc({ listenIps: ['0.0.0.0'] }), [OURS]],
  [
    'the listenIps of a WebRtcTransport, as objects',
    webRtc({ listenIps: [{ ip: '0.0.0.0' }, '127.0.0.1'] }),
    [OURS, '127.0.0.1']
  ],
  ['the listenInfos of a WebRtcServer', webRtcServer(udp('0.0.0.0')), [OURS]],
  [
    'the listenInfo and the rtcpListenInfo of a PlainTransport',
    plain({ listenInfo: udp('0.0.0.0'), rtcpListenInfo: udp('0.0.0.0'), rtcpMux: false }),
    [OURS, OURS]
  ],
  [
    'the rtcpListenInfo alone',
    plain({ listenInfo: udp('127.0.0.1'), rtcpListenInfo: udp('0.0.0.0'), rtcpMux: false }),
    ['127.0.0.1', OURS]
  ],
  [
    'the listenIp of a PlainTransport, as a string',
    plain({ listenIp: '0.0.0.0' }),
    [OURS, undefined]
  ],
  [
    'the listenIp of a PlainTransport, as an object',
    plain({ listenIp: { ip: '0.0.0.0' } }),
    [OURS, undefined]
  ],
  ['the listenInfo of a PipeTransport', pipe({ listenInfo: udp('0.0.0.0') }), [OURS]],
  ['the listenIp of a PipeTransport', pipe({ listenIp: '0.0.0.0' }), [OURS]],
  // And what is left as it is.
  ['a specific address', webRtc({ listenInfos: [udp('127.0.0.1')] }), ['127.0.0.1']],
  ['a specific address, as a string', webRtc({ listenIps: ['127.0.0.1'] }), ['127.0.0.1']],
  [
    'a specific address of a PlainTransport',
    plain({ listenInfo: udp('127.0.0.1') }),
    ['127.0.0.1', undefined]
  ],
  [
    'what the client announces',
    webRtc({ listenInfos: [udp('0.0.0.0', { announcedAddress: THEIRS })] }),
    [THEIRS]
  ],
  [
    'what the client announces by the old name',
    webRtc({ listenInfos: [udp('0.0.0.0', { announcedIp: THEIRS })] }),
    [THEIRS]
  ],
  [
    'a listenIp that the client announces',
    plain({ listenIp: { ip: '0.0.0.0', announcedIp: THEIRS } }),
    [THEIRS, undefined]
  ],
  [
    'a WebRtcServer that the client announces',
    webRtcServer(udp('0.0.0.0', { announcedAddress: THEIRS })),
    [THEIRS]
  ]
]

for (const [what, listen, addresses] of announcements) {
  test(`the announced address is ${addresses.includes(OURS) ? '' : 'not '}added to ${what}`, async () => {
    const mediasoup = await mock({ announcedAddress: OURS })
    const worker = await mediasoup.createWorker()
    assert.equal(await listen(await worker.createRouter(), worker), addresses)
  })
}

test('without an announced address, nothing is added', async () => {
  const worker = await (await mock()).createWorker()
  assert.equal(
    await webRtc({ listenInfos: [udp('0.0.0.0')] })(await worker.createRouter(), worker),
    ['0.0.0.0']
  )
})

/** A Worker is killed while participants join; all that is heard, and what becomes of the calls. */
async function killDuringJoin(mediasoup: typeof localMediasoup) {
  const [worker, other] = [await mediasoup.createWorker(), await mediasoup.createWorker()]
  afterTest(() => [worker, other].forEach(each => each.close()))
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  const transport = await router.createDirectTransport()
  const producer = await transport.produce(audio())
  const observer = await router.createActiveSpeakerObserver()
  const heard: string[] = []
  producer.on('transportclose', () => heard.push('Producer transportclose'))
  producer.observer.on('close', () => heard.push('Producer close'))
  transport.on('routerclose', () => heard.push('Transport routerclose'))
  transport.observer.on('close', () => heard.push('Transport close'))
  observer.on('routerclose', () => heard.push('RtpObserver routerclose'))
  router.on('workerclose', () => heard.push('Router workerclose'))
  router.observer.on('close', () => heard.push('Router close'))
  worker.on('died', error =>
    heard.push(`Worker died: ${error.name} ${error.message.replace(String(worker.pid), 'PID')}`)
  )
  worker.on('subprocessclose', () => heard.push('Worker subprocessclose'))
  worker.observer.on('close', () => heard.push('Worker close'))

  process.kill(worker.pid, 'SIGSTOP') // So that nothing is answered.
  const { rtpCapabilities } = router
  const calls = [
    router.createWebRtcTransport({ listenInfos: [udp('127.0.0.1')] }),
    router.createDirectTransport(),
    transport.produce(audio(7)),
    transport.consume({ producerId: producer.id, rtpCapabilities }),
    producer.pause(),
    observer.addProducer({ producerId: producer.id }),
    router.dump(),
    worker.createRouter()
  ].map(rejection)
  await other.dump() // By now all calls have come to the host.
  process.kill(worker.pid, 'SIGKILL')
  const errors = await Promise.all(calls)
  await until(() => worker.subprocessClosed)
  return {
    heard,
    errors: errors.map(({ name }) => name),
    closed: [worker, router, transport, producer, observer].map(({ closed }) => closed),
    died: worker.died
  }
}

test('a Worker that is killed during a join rejects every call, and dies as on plain mediasoup', async () => {
  const plain = await killDuringJoin(localMediasoup)
  assert.ok(plain.heard.includes('Worker died: Error [pid:PID, code:null, signal:SIGKILL]'))
  assert.ok(plain.errors.every(name => name === 'WorkerClosedError'))
  const { mediasoup, child } = await connectLeaf()
  assert.equal(await killDuringJoin(mediasoup), plain)
  // The leaf lives.
  assert.is(child.exitCode, null)
  assert.ok((await mediasoup.createWorker()).pid)
})

async function openRouter(mediasoup: RemoteMediasoup) {
  const worker = await mediasoup.createWorker()
  return { worker, router: await worker.createRouter({ mediaCodecs: [opus] }) }
}

test("two sessions do not see each other's objects, and one's end is not the other's", async () => {
  const tier = leaf(localMediasoup)
  const [one, other] = [await client(tier), await client(tier)]
  afterTest(() => {
    one.close()
    other.close()
  })
  const seen: unknown[] = []
  other.observer.on('newworker', worker => seen.push(worker))

  const { worker, router } = await openRouter(one)
  const others = await openRouter(other)
  assert.equal(seen, [others.worker])
  const producer = await (await router.createDirectTransport()).produce(audio())

  // What is lent within a realm is in borrow.test.ts.
  const error = await rejection(
    router.pipeToRouter({ producerId: producer.id, router: others.router })
  )
  assert.instance(error, one.errors.NotFoundError)
  assert.match(error.message, /object with handle ".*" not found/)

  one.close()
  await until(() => !isAlive(worker.pid))
  assert.ok(isAlive(others.worker.pid))
  assert.is((await others.router.dump()).id, others.router.id)
})

test('what was closed a moment ago says what mediasoup says of it, and later is not found', async () => {
  const mediasoup = await mock()
  const worker = await mediasoup.createWorker()
  const router = await worker.createRouter()
  const transport = await router.createDirectTransport()
  transport.close()
  const unknown = /^DirectTransport with handle ".*" not found$/
  assert.not.match((await rejection(transport.getStats())).message, unknown)
  await until(async () => unknown.test((await rejection(transport.getStats())).message), 60)
})

test('what one session has closed another one cannot find', async () => {
  const tier = leaf(localMediasoup)
  const peers = await Promise.all(
    [1, 2].map(async () => {
      const link = await tier.open()
      afterTest(() => link.close())
      const answers: { id: number; result: { $: string }; error?: { message: string } }[] = []
      link.on('frame', frame => answers.push(JSON.parse(String(frame))))
      return async (method: string, ...params: unknown[]) => {
        const id = answers.length
        link.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }))
        return until(() => answers.find(answer => answer.id === id))
      }
    })
  )
  const [owner, other] = peers as [(typeof peers)[0], (typeof peers)[0]]
  const { $: worker } = (await owner('mediasoup.createWorker')).result
  const { $: router } = (await owner('Worker.createRouter', worker)).result
  await owner('Router.close', router)
  assert.not.match((await owner('Router.dump', router)).error!.message, 'with handle')
  assert.is(
    (await other('Router.dump', router)).error!.message,
    `Router with handle "${router}" not found`
  )
})

test('a pipe whose far Worker is closed while it pauses does not end the leaf', async () => {
  const { url, child } = await startLeaf()
  const [mediasoup, bystander] = [await connect(url), await connect(url)]
  afterTest(() => mediasoup.close())
  afterTest(() => bystander.close())
  const other = await openRouter(bystander)
  const [near, far] = [await openRouter(mediasoup), await openRouter(mediasoup)]
  const producer = await (await near.router.createDirectTransport()).produce(audio())
  const { pipeConsumer } = await near.router.pipeToRouter({
    producerId: producer.id,
    router: far.router
  })

  // mediasoup pauses the far end by itself, and lets that fail without a handler.
  process.kill(far.worker.pid, 'SIGSTOP')
  afterTest(() => isAlive(far.worker.pid) && process.kill(far.worker.pid, 'SIGKILL'))
  await producer.pause()
  await until(() => pipeConsumer!.producerPaused)
  far.worker.close()
  await near.router.dump() // By now the host has closed it.
  process.kill(far.worker.pid, 'SIGCONT')
  await until(() => !isAlive(far.worker.pid))

  assert.is((await other.router.dump()).id, other.router.id)
  assert.is(child.exitCode, null)
})

/** What a call fails with that its Worker has not answered after 60 s. */
async function failureAfterAMinute(call: () => Promise<unknown>): Promise<string> {
  timers.enable({ apis: ['setTimeout'] })
  try {
    const failure = rejection(call())
    await new Promise(resolve => setImmediate(resolve)) // The leaf has the call by then.
    timers.tick(60_000)
    return (await failure).message
  } finally {
    timers.reset()
  }
}

test('a call that a Worker does not answer fails, and what it makes later is closed', async () => {
  const mediasoup = await mock()
  const worker = await mediasoup.createWorker()
  process.kill(worker.pid, 'SIGSTOP')
  afterTest(() => process.kill(worker.pid, 'SIGCONT'))
  assert.is(
    await failureAfterAMinute(() => worker.createRouter()),
    'Worker.createRouter() was not answered within 60 s'
  )
  process.kill(worker.pid, 'SIGCONT')
  await until(async () => (await worker.dump()).routerIds.length === 0)
  const router = await worker.createRouter()
  assert.equal((await worker.dump()).routerIds, [router.id])
})

test('a key frame of piped audio, for which mediasoup has no answer, is not waited for for ever', async () => {
  const mediasoup = await mock()
  const [near, far] = await Promise.all(
    [1, 2].map(async () => (await mediasoup.createWorker()).createRouter({ mediaCodecs: [opus] }))
  )
  const producer = await (await near!.createDirectTransport()).produce(audio())
  const { pipeConsumer } = await near!.pipeToRouter({ producerId: producer.id, router: far! })
  assert.match(
    await failureAfterAMinute(() => pipeConsumer!.requestKeyFrame()),
    'was not answered within 60 s'
  )
})

test.run()
