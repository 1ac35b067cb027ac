// Two application servers share one room: each is a session of its own on a tree of processes, and
// all that they tell each other is the ids of Producers. RTP goes over UDP.

import { once } from 'node:events'
import { type Socket, createSocket } from 'node:dgram'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { connect } from '../../client/index.ts'
import { flows, lender, stage } from '../borrowing.ts'
import { afterTest, audio, cleanUp, freePort, rtp, startLeaf, until } from '../helper.ts'

cleanUp(test)

const listenInfo = { protocol: 'udp', ip: '127.0.0.1' } as const

/** A proxy over two leaves, which can be killed and started again. */
async function startTree(...options: string[]) {
  const leaves = await Promise.all([startLeaf(), startLeaf()])
  const urls = leaves.map(({ url }) => url)
  const args = ['--listen', `127.0.0.1:${await freePort()}`, ...options, ...urls]
  const start = async () => {
    const proxy = await startLeaf(args)
    await until(() => proxy.lines.filter(line => line.includes('host is up')).length === 2)
    return proxy
  }
  let proxy = await start()
  return {
    url: proxy.url,
    async replace() {
      proxy.child.kill('SIGKILL')
      await proxy.exited
      proxy = await start()
    }
  }
}

async function use(url: string) {
  const mediasoup = await connect(url)
  afterTest(() => mediasoup.close())
  return mediasoup
}

async function openSocket(): Promise<Socket> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  afterTest(() => socket.close())
  await once(socket, 'listening')
  return socket
}

/** A participant of a server: speaks, and hears those whose ids the server was told. */
async function join(router: ms.Router, ssrc: number) {
  const socket = await openSocket()
  const inbound = await router.createPlainTransport({ listenInfo, comedia: true })
  const producer = await inbound.produce(audio(ssrc))
  const heard = new Set<number>()
  return {
    producer,
    heard,
    speak: (sequence: number) =>
      socket.send(rtp(sequence, { ssrc }), inbound.tuple.localPort, '127.0.0.1'),
    async hear(producerId: string) {
      const ear = await openSocket()
      const outbound = await router.createPlainTransport({ listenInfo })
      await outbound.connect({ ip: '127.0.0.1', port: ear.address().port })
      const { rtpCapabilities } = router
      const consumer = await outbound.consume({ producerId, rtpCapabilities })
      const [{ ssrc: own }] = consumer.rtpParameters.encodings as [{ ssrc: number }]
      ear.on('message', packet => {
        if (packet.readUInt32BE(8) === own) heard.add(own)
      })
      return own
    }
  }
}

test('two application servers share a room with nothing but ids, and RTP goes both ways', async () => {
  const { url } = await startTree('--vertical')
  const [one, other] = [await stage(await use(url)), await stage(await use(url))]
  const [alice, bob] = [await join(one.router, 1001), await join(other.router, 2002)]
  const [atAlice, atBob] = [await alice.hear(bob.producer.id), await bob.hear(alice.producer.id)]
  let sequence = 0
  await until(() => {
    alice.speak(sequence)
    bob.speak(sequence++)
    return alice.heard.has(atAlice) && bob.heard.has(atBob)
  })
})

test('when a proxy was replaced, what was borrowed between hosts ends, and is consumed anew', async () => {
  const tree = await startTree()
  const lent = await lender(await use(tree.url))
  const { consume, worker } = await stage(await use(tree.url), { beside: lent.node })
  const consumer = await consume(lent.producer.id)
  await flows(lent.producer, consumer)
  await tree.replace()
  await until(() => consumer.closed)
  assert.not.ok(worker.closed)
  const again = await until(() => consume(lent.producer.id).catch(() => undefined))
  await flows(lent.producer, again)
})

test.run()
