// Pipes between hosts, which are network namespaces here: where they arrive when nobody says it,
// what is refused because no packet would arrive, and pipes that an application makes by hand.

import * as localMediasoup from 'mediasoup'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { client, remote } from '../../client/index.ts'
import { horizontal, vertical } from '../../proxy/index.ts'
import { leaf } from '../../server/index.ts'
import {
  afterTest,
  audio,
  cleanUp,
  createElsewhere,
  opus,
  rejection,
  rtp,
  until
} from '../helper.ts'
import { obstacle, serveOn, startHosts } from '../kit/network.ts'

cleanUp(test)

const reason = obstacle()

function onTwoHosts(name: string, args: string[], handler: (stage: Stage) => Promise<void>) {
  test(
    name,
    reason
      ? () => console.log(`skipped, because ${reason}: ${name}`)
      : async () => handler(await open(args))
  )
}

type Stage = Awaited<ReturnType<typeof open>>

/** A Router on each of two hosts, whose leaves are started alike. */
async function open(args: string[]) {
  const hosts = startHosts(['host1', 'host2'])
  const leaves = await Promise.all(hosts.map(host => serveOn(host, ...args)))
  const cluster = horizontal(leaves.map(({ url }) => remote(url)))
  afterTest(() => cluster.close())
  const mediasoup = await client(cluster)
  afterTest(() => mediasoup.close())
  const worker = await mediasoup.createWorker()
  const other = await createElsewhere(mediasoup, worker)
  const [near, far] = await Promise.all(
    [worker, other].map(each => each.createRouter({ mediaCodecs: [opus] }))
  )
  const producer = await (await near!.createDirectTransport()).produce(audio())
  return { hosts, worker, near: near!, far: far!, producer }
}

/** Media of the near Router comes out of the far one. */
async function arrives({ producer, far }: Pick<Stage, 'producer' | 'far'>) {
  const consumer = await (await far.createDirectTransport()).consume({
    producerId: producer.id,
    rtpCapabilities: far.rtpCapabilities
  })
  let [sent, got] = [0, 0]
  consumer.on('rtp', () => got++)
  await until(() => {
    producer.send(rtp(sent++))
    return got > 0
  })
}

const pipe = ({ near, far, producer }: Pick<Stage, 'near' | 'far' | 'producer'>) =>
  near.pipeToRouter({ producerId: producer.id, router: far })

/** As applications do that think all Routers are on their own machine. */
async function pipeByHand({ near, far, producer }: Stage) {
  const [one, other] = await Promise.all(
    [near, far].map(router => router.createPipeTransport({ listenIp: '127.0.0.1' }))
  )
  const connect = (from: ms.PipeTransport, { tuple }: ms.PipeTransport) =>
    from.connect({ ip: tuple.localIp, port: tuple.localPort })
  await connect(one!, other!)
  await connect(other!, one!)
  const { id, kind, rtpParameters } = await one!.consume({ producerId: producer.id })
  assert.ok(id)
  await other!.produce({ id: producer.id, kind, rtpParameters })
}

onTwoHosts(
  'behind NAT, pipes arrive where the tier listens, and one made by hand on the loopback is refused',
  ['--announced-address', '203.0.113.7'],
  async stage => {
    const error = await rejection(pipeByHand(stage))
    assert.match(
      error.message,
      /^a PipeTransport of this host must not be connected to 127\.0\.0\.1, port \d+, where no transport of the session listens: the other Router may be on another host/
    )
    await pipe(stage)
    await arrives(stage)
  }
)

onTwoHosts(
  'pipes between hosts go on where clients must not send to private networks',
  ['--deny-peer', 'non-public'],
  async stage => {
    const { address: ip } = stage.hosts[0]!
    await pipe(stage)
    await arrives(stage)
    for (const router of [stage.near, stage.far]) {
      const own = await router.createPipeTransport({
        listenInfo: { protocol: 'udp', ip: '0.0.0.0' }
      })
      const error = await rejection(own.connect({ ip, port: 4000 }))
      assert.match(error.message, `a PipeTransport must not send to ${ip}`)
    }
    // The tier vouches for no address that a client chose.
    const listenInfo = {
      protocol: 'udp',
      ip: '0.0.0.0',
      announcedAddress: '169.254.169.254'
    } as const
    const router = await stage.worker.createRouter({ mediaCodecs: [opus] })
    const { id: producerId } = await (await router.createDirectTransport()).produce(audio())
    const error = await rejection(
      router.pipeToRouter({ producerId, router: stage.far, listenInfo })
    )
    assert.match(error.message, 'must not send to 169.254.169.254')
  }
)

onTwoHosts(
  'a pipe to a host that takes them on its loopback only is refused, and the error says why',
  ['--pipe-address', '127.0.0.1'],
  async stage => {
    const error = await rejection(pipe(stage))
    assert.match(
      error.message,
      /^the host of node .+ takes pipes at 127\.0\.0\.1 only, which other hosts do not reach: start it with --pipe-address$/
    )
  }
)

onTwoHosts(
  'with --announce always, a pipe made by hand on the loopback carries media between hosts',
  ['--announce', 'always', '--announced-address', '203.0.113.7'],
  async stage => {
    await pipeByHand(stage)
    await arrives(stage)
  }
)

test('a tier between vouches for pipes, too, where all that is not public is denied', async () => {
  const rules = { denyPeer: ['non-public'] }
  const [one, other] = ['127.0.0.2', '127.0.0.3'].map(pipeAddress =>
    leaf(localMediasoup, { ...rules, pipeAddress })
  )
  const cluster = horizontal([vertical(horizontal([one!])), other!], { policy: 'scatter' })
  afterTest(() => cluster.close())
  const mediasoup = await client(cluster)
  afterTest(() => mediasoup.close())
  const worker = await mediasoup.createWorker()
  const [near, far] = await Promise.all(
    [worker, await createElsewhere(mediasoup, worker)].map(each =>
      each.createRouter({ mediaCodecs: [opus] })
    )
  )
  const producer = await (await near!.createDirectTransport()).produce(audio())
  const stage = { near: near!, far: far!, producer }
  await pipe(stage)
  await arrives(stage)
})

const onHosts = reason ? test.skip : test

onHosts('the ports of a WebRtcServer that spans hosts start anew on each of them', async () => {
  const hosts = startHosts(['host1', 'host2'])
  const leaves = await Promise.all(
    hosts.map(host => serveOn(host, '--announced-address', host.address))
  )
  const cluster = horizontal(
    leaves.map(({ url }) => remote(url)),
    { policy: 'scatter' }
  )
  afterTest(() => cluster.close())
  let up = 0
  cluster.on('up', () => up++)
  await until(() => up === 2)
  const mediasoup = await client(vertical(cluster, { policy: 'scatter', maxWorkers: 2 }))
  afterTest(() => mediasoup.close())
  const worker = await mediasoup.createWorker()
  const webRtcServer = await worker.createWebRtcServer({
    listenInfos: [{ protocol: 'udp', ip: '0.0.0.0', port: 44_444 }]
  })
  const router = await worker.createRouter()
  const tuples = new Map<string, number>()
  await until(async () => {
    const { iceCandidates } = await router.createWebRtcTransport({ webRtcServer })
    for (const { address, port } of iceCandidates) tuples.set(address, port)
    return tuples.size === 2
  })
  assert.equal(
    [...tuples.keys()].toSorted(),
    hosts.map(({ address }) => address)
  )
  assert.equal([...tuples.values()], [44_444, 44_444])
})

test.run()
