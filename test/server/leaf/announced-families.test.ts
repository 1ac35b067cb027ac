// `--announced-address` of a host with IPv4 and IPv6: what is announced can be reached at the socket.

import type * as ms from 'mediasoup/types'
import * as localMediasoup from 'mediasoup'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type LeafOptions, leaf } from '../../../server/index.ts'
import { cleanUp, connectLeaf, mock, run } from '../../helper.ts'

cleanUp(test)

const V4 = '203.0.113.7'
const V6 = '2001:db8::7'
const NAME = 'media.example'
const THEIRS = '2001:db8:9::9'

const udp = (ip: string, rest: Partial<ms.TransportListenInfo> = {}): ms.TransportListenInfo => ({
  protocol: 'udp',
  ip,
  ...rest
})

const onlyV6 = udp('::', { flags: { ipv6Only: true } })

async function announced(
  { createWorker }: { createWorker(): Promise<ms.Worker> },
  listenInfos: ms.TransportListenInfo[]
) {
  const router = await (await createWorker()).createRouter()
  const { iceCandidates } = await router.createWebRtcTransport({ listenInfos })
  return iceCandidates.map(({ address }) => address)
}

for (const [announcedAddress, listenInfos, expected] of [
  // Each family has its own.
  [
    [V4, V6],
    [udp('0.0.0.0'), udp('::')],
    [V4, V6]
  ],
  [
    [V6, V4],
    [udp('0.0.0.0'), onlyV6],
    [V4, V6]
  ],
  // Nobody reaches an IPv4 socket by IPv6.
  [V6, [udp('0.0.0.0'), udp('::')], ['0.0.0.0', V6]],
  // A socket on :: takes both, unless it is said not to.
  [V4, [udp('0.0.0.0'), onlyV6], [V4, '::']],
  [V4, [udp('::')], [V4]],
  // What a name stands for, DNS says.
  [NAME, [udp('0.0.0.0'), onlyV6], [NAME, NAME]],
  [
    [V6, NAME],
    [udp('0.0.0.0'), udp('::')],
    [NAME, V6]
  ]
] satisfies [LeafOptions['announcedAddress'], ms.TransportListenInfo[], string[]][]) {
  const where = listenInfos.map(({ ip, flags }) => (flags ? `${ip} only` : ip)).join(' and ')
  test(`with ${[announcedAddress].flat().join(' and ')}, ${where} is told as ${expected.join(' and ')}`, async () => {
    assert.equal(await announced(await mock({ announcedAddress }), listenInfos), expected)
  })
}

test('"always" replaces what the application announces by the address of its family', async () => {
  const mediasoup = await mock({ announcedAddress: [V4, V6], announce: 'always' })
  const listenInfos = [
    udp('0.0.0.0', { announcedAddress: '198.51.100.9' }),
    udp('::', { announcedAddress: THEIRS })
  ]
  assert.equal(await announced(mediasoup, listenInfos), [V4, V6])
})

test('"always" announces no address at which nobody is reached', async () => {
  const mediasoup = await mock({ announcedAddress: V4, announce: 'always' })
  const listenInfos = [udp('::', { announcedAddress: THEIRS, flags: { ipv6Only: true } })]
  assert.equal(await announced(mediasoup, listenInfos), ['::'])
})

test('mafalda serve takes one address of each family', async () => {
  const { mediasoup } = await connectLeaf(['--announced-address', `${V4},${V6}`])
  assert.equal(await announced(mediasoup, [udp('0.0.0.0'), udp('::')]), [V4, V6])
})

for (const [addresses, words] of [
  [[V4, '198.51.100.9'], `one of each family, or a hostname (got ${V4} and 198.51.100.9)`],
  [[V4, ''], 'not empty']
] satisfies [string[], string][])
  test(`${JSON.stringify(addresses)} cannot be announced`, async () => {
    assert.throws(
      () => leaf(localMediasoup, { announcedAddress: addresses }),
      (error: Error) => error instanceof TypeError && error.message.includes(words)
    )
    const { exited, errors } = run(['serve', '--announced-address', addresses.join(',')])
    assert.is((await exited)[0], 2)
    assert.match(errors.join('\n'), words)
  })

test.run()
