// What `mafalda serve` lets clients do with the network of its host: its options, and what holds
// without them, which depends on who reaches the tier.

import { networkInterfaces } from 'node:os'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { mediaNetwork } from '../../cli/media-network.ts'
import { connect } from '../../client/index.ts'
import { afterTest, cleanUp, connectLeaf, rejection, run, startLeaf } from '../helper.ts'

cleanUp(test)

const EXPOSED = ['0.0.0.0', '::', '198.41.0.4', '2001:500:2::c', 'media.example']
const INSIDE = ['127.0.0.1', '::1', 'localhost', '10.0.0.7', '192.168.1.2', '100.64.0.9', 'fd00::7']

for (const host of EXPOSED)
  test(`clients of a tier on ${host} reach no network that is not public`, () => {
    const { denyPeer, allowListen } = mediaNetwork({ listen: { host } })
    assert.equal([denyPeer, allowListen], [['non-public'], ['local']])
  })

for (const host of INSIDE)
  test(`clients of a tier on ${host}, which no public network reaches, send anywhere`, () => {
    const { denyPeer, allowListen } = mediaNetwork({ listen: { host } })
    assert.equal([denyPeer, allowListen], [undefined, undefined])
  })

test('an option is more than what holds without it', () => {
  const listen = { host: '0.0.0.0' }
  const given = { denyPeer: [], allowListen: ['10.0.0.7'], allowPeer: ['127.0.0.1'] }
  const { denyPeer, allowListen, allowPeer } = mediaNetwork({ listen, ...given })
  assert.equal({ denyPeer, allowListen, allowPeer }, given)
})

const first = Object.values(networkInterfaces())
  .flatMap(addresses => addresses ?? [])
  .find(({ internal, family }) => !internal && family === 'IPv4')?.address

for (const [host, address] of [
  ['127.0.0.1', '127.0.0.1'],
  ['localhost', '127.0.0.1'],
  ['10.0.0.7', '10.0.0.7'],
  ['0.0.0.0', first ?? '127.0.0.1']
] as const)
  test(`pipes to a host whose tier listens on ${host} arrive at ${address}`, () => {
    // As behind NAT: no interface has what is announced.
    const announcedAddress = '203.0.113.7'
    assert.is(mediaNetwork({ listen: { host }, announcedAddress }).pipeAddress, address)
    const pipeAddress = '192.0.2.99'
    assert.is(mediaNetwork({ listen: { host }, pipeAddress }).pipeAddress, pipeAddress)
  })

async function plainTransport({ createWorker }: { createWorker(): Promise<ms.Worker> }) {
  const router = await (await createWorker()).createRouter()
  return router.createPlainTransport({ listenInfo: { protocol: 'udp', ip: '127.0.0.1' } })
}

const loopback = { ip: '127.0.0.1', port: 9 }

test('a tier that all networks reach sends nothing to its own loopback', async () => {
  const { url, lines } = await startLeaf(['--listen', '0.0.0.0:0', '--insecure'])
  const mediasoup = await connect(url.replace('0.0.0.0', '127.0.0.1'))
  afterTest(() => mediasoup.close())
  const transport = await plainTransport(mediasoup)
  const error = await rejection(transport.connect(loopback))
  assert.match(error.message, 'a PlainTransport must not send to 127.0.0.1')
  const said = lines.map(line => JSON.parse(line)).find(({ msg }) => msg === 'media of clients')
  assert.equal(said.denyPeer, ['non-public'])
})

test('options reach the leaf', async () => {
  const { mediasoup } = await connectLeaf([
    ...['--rtc-ports', '24000-24099', '--deny-peer', 'non-public'],
    ...['--allow-peer', '127.0.0.0/8,::1', '--allow-listen', '127.0.0.1']
  ])
  const transport = await plainTransport(mediasoup)
  assert.ok(transport.tuple.localPort >= 24_000 && transport.tuple.localPort <= 24_099)
  await transport.connect(loopback)
})

for (const [args, words] of [
  [['--rtc-ports', '5000'], 'It must be MIN-MAX'],
  [['--rtc-ports', '5000-4000'], 'It must be MIN-MAX'],
  [['--deny-peer', 'host.example'], '("host.example" is not)'],
  [['--allow-peer', '10.0.0.0/33'], '("10.0.0.0/33" is not)'],
  [['--allow-listen', ''], 'is not)'],
  [['--announce', 'never'], 'when-missing, always']
] satisfies [string[], string][])
  test(`mafalda serve ${args.join(' ')} is wrong usage`, async () => {
    const { exited, errors } = run(['serve', ...args])
    assert.is((await exited)[0], 2)
    assert.match(errors.join('\n'), words)
  })

test.run()
