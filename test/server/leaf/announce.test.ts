// `announce: 'always'`: applications that know only the addresses of a machine of their own.

import { networkInterfaces } from 'node:os'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { LeafOptions } from '../../../server/index.ts'
import { cleanUp, mock } from '../../helper.ts'

cleanUp(test)

// Of the host, and of the application's machine: no interface here has them.
const OURS = '198.51.100.7'
const THEIRS = '203.0.113.9'

async function open(options: LeafOptions = {}) {
  const logged: string[] = []
  const mediasoup = await mock({
    announcedAddress: OURS,
    announce: 'always',
    log: { onwarn: (_, text) => logged.push(text) },
    ...options
  })
  const worker = await mediasoup.createWorker()
  return { logged, worker, router: await worker.createRouter() }
}

const candidates = async (router: ms.Router, listenInfos: ms.TransportListenInfo[]) =>
  (await router.createWebRtcTransport({ listenInfos })).iceCandidates.map(({ address }) => address)

test('what an application announces is replaced by the address of the host, which is said once', async () => {
  const { router, logged } = await open()
  const listenInfo = { protocol: 'udp', ip: '0.0.0.0', announcedAddress: THEIRS } as const
  for (let i = 0; i < 2; i++) assert.equal(await candidates(router, [listenInfo]), [OURS])
  const { iceCandidates } = await router.createWebRtcTransport({
    listenIps: [{ ip: '0.0.0.0', announcedIp: THEIRS }]
  })
  assert.is(iceCandidates[0]!.address, OURS)
  assert.equal(logged, [
    `an application asked to listen on 0.0.0.0 (announced as ${THEIRS}): it listens on 0.0.0.0 (announced as ${OURS}) (--announce always)`
  ])
})

test('an address that no interface of the host has becomes one that it has', async () => {
  const { router, worker, logged } = await open()
  assert.equal(await candidates(router, [{ protocol: 'udp', ip: THEIRS }]), [OURS])
  const { tuple } = await router.createPlainTransport({
    listenInfo: { protocol: 'udp', ip: THEIRS, announcedAddress: THEIRS }
  })
  assert.is(tuple.localAddress, OURS)
  const server = await worker.createWebRtcServer({
    listenInfos: [{ protocol: 'tcp', ip: THEIRS }]
  })
  const { iceCandidates } = await router.createWebRtcTransport({ webRtcServer: server })
  assert.is(iceCandidates[0]!.address, OURS)
  assert.is(logged.length, 2)
  assert.match(
    logged[0]!,
    new RegExp(
      `^an application asked to listen on ${THEIRS}: it listens on [\\da-f.:]+ \\(announced as ${OURS}\\)`
    )
  )
})

test('an application that says nothing wrong is served as before, without a word', async () => {
  const { router, logged } = await open()
  assert.equal(await candidates(router, [{ protocol: 'udp', ip: '0.0.0.0' }]), [OURS])
  assert.equal(await candidates(router, [{ protocol: 'udp', ip: '127.0.0.1' }]), ['127.0.0.1'])
  assert.equal(
    await candidates(router, [{ protocol: 'udp', ip: '0.0.0.0', announcedAddress: OURS }]),
    [OURS]
  )
  assert.equal(logged, [])
})

test('a pipe on the loopback stays there where no other host could reach it', async () => {
  const { router, logged } = await open({ pipeAddress: '127.0.0.2' })
  const { tuple } = await router.createPipeTransport({ listenIp: '127.0.0.1' })
  assert.is(tuple.localAddress, '127.0.0.1')
  assert.equal(logged, [])
})

const own = Object.values(networkInterfaces())
  .flatMap(addresses => addresses ?? [])
  .find(({ internal, family }) => !internal && family === 'IPv4')?.address
const withAddress = own ? test : test.skip

withAddress(
  'a pipe that is made by hand on the loopback is where other hosts reach it',
  async () => {
    const { router, worker, logged } = await open({ pipeAddress: own })
    const other = await worker.createRouter()
    const listen = (router: ms.Router) => router.createPipeTransport({ listenIp: '127.0.0.1' })
    const [near, far] = [await listen(router), await listen(other)]
    assert.is(far.tuple.localAddress, own)
    await near.connect({ ip: far.tuple.localAddress, port: far.tuple.localPort })
    // As an application does that remembers where it has put the pipe.
    await far.connect({ ip: '127.0.0.1', port: near.tuple.localPort })
    assert.is(far.tuple.remoteIp, own)
    assert.equal(logged, [
      `an application asked to listen on 127.0.0.1: it listens on ${own}, where pipes from other hosts arrive (--announce always)`
    ])
  }
)

test('"when-missing" leaves the addresses of the application alone', async () => {
  const { router, logged } = await open({ announce: 'when-missing' })
  const listenInfo = { protocol: 'udp', ip: '0.0.0.0', announcedAddress: THEIRS } as const
  assert.equal(await candidates(router, [listenInfo]), [THEIRS])
  assert.equal(logged, [])
})

test.run()
