// A registry that starts and ends hosts by a command, with real hosts and real media: from none to one,
// to three when many come at once, and back to one, while the first call goes on.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type * as ms from 'mediasoup/types'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type RemoteMediasoup, connect } from '../../client/index.ts'
import { afterTest, audio, cleanUp, isAlive, opus, rtp, run, until } from '../helper.ts'
import { urlOf } from '../kit/processes.ts'
import { isRtcp } from '../kit/rtp.ts'

cleanUp(test)

const script = fileURLToPath(new URL('../kit/hosts-command.ts', import.meta.url))
const SCALE = ['--scale-max', '3', '--scale-quiet', '2', '--scale-settle', '0']

/** A registry whose command starts hosts of this machine. */
async function startRegistry() {
  const folder = await mkdtemp(join(tmpdir(), 'mafalda-hosts-'))
  const command = join(folder, 'command')
  const lines = async (name: string) =>
    (await readFile(join(folder, name), 'utf8').catch(() => '')).split('\n').filter(Boolean)
  const hosts = async () =>
    (await lines('hosts')).map(line => {
      const [pid, url] = line.split(' ') as [string, string]
      return { pid: Number(pid), url }
    })
  afterTest(async () => {
    for (const { pid } of await hosts()) if (isAlive(pid)) process.kill(pid)
    await until(async () => (await hosts()).every(({ pid }) => !isAlive(pid)))
    await rm(folder, { recursive: true })
  })
  await writeFile(command, '')
  const args = ['registry', '--listen', '127.0.0.1:0', '--lease', '2', '--scale-command', command]
  const started = run([...args, ...SCALE])
  const url = await urlOf(started)
  const http = url.replace('ws', 'http')
  await writeFile(command, `#!/bin/sh\nexec ${process.execPath} ${script} ${folder} ${http} "$@"\n`)
  await chmod(command, 0o755)
  const scale = async () => (await fetch(`${http}/scale`)).json() as Promise<{ now: number }>
  return { url, hosts, runs: () => lines('runs'), scale }
}

/** Packets through a Router, 50 a second; tells which have not come, or not in order. */
async function startFlow(router: ms.Router) {
  const [sender, receiver] = [createSocket('udp4'), createSocket('udp4').bind(0, '127.0.0.1')]
  afterTest(() => {
    sender.close()
    receiver.close()
  })
  await once(receiver, 'listening')
  const listenInfo = { protocol: 'udp', ip: '127.0.0.1' } as const
  const inbound = await router.createPlainTransport({ listenInfo, comedia: true })
  const producer = await inbound.produce(audio())
  const outbound = await router.createPlainTransport({ listenInfo })
  await outbound.connect({ ip: '127.0.0.1', port: receiver.address().port })
  await outbound.consume({ producerId: producer.id, rtpCapabilities: router.rtpCapabilities })
  const arrived: number[] = []
  receiver.on('message', packet => {
    if (!isRtcp(packet)) arrived.push(packet.readUInt16BE(2))
  })
  let sequence = 0
  const timer = setInterval(
    () => sender.send(rtp(++sequence), inbound.tuple.localPort, '127.0.0.1'),
    20
  )
  afterTest(() => clearInterval(timer))
  return {
    arrived,
    missed: () => arrived.filter((at, i) => i > 0 && at !== ((arrived[i - 1]! + 1) & 0xffff))
  }
}

/** As an application does that gets no Worker: it asks again. */
async function untilCreated({ createWorker }: Pick<RemoteMediasoup, 'createWorker'>) {
  for (;;) {
    const worker = await createWorker().catch(() => undefined)
    if (worker) return worker
    await setTimeout(50)
  }
}

test('hosts come when they are needed, at once and all of them, and go when they are not; nothing is lost', async () => {
  const { url, hosts, runs, scale } = await startRegistry()
  await until(async () => (await scale()).now === 1)
  assert.equal(await runs(), ['up 1'])

  const ended: unknown[] = []
  const [caller, crowd] = [await connect(url), await connect(url)]
  for (const mediasoup of [caller, crowd]) {
    afterTest(() => mediasoup.close())
    mediasoup.connection.on('close', () => ended.push('a session'))
  }
  const worker = await untilCreated(caller)
  worker.on('died', error => ended.push(error))
  const { arrived, missed } = await startFlow(await worker.createRouter({ mediaCodecs: [opus] }))
  await until(() => arrived.length > 10)

  const joined = await Promise.all(Array.from({ length: 5 }, () => untilCreated(crowd)))
  for (const each of joined) each.on('died', error => ended.push(error))
  const ups = (await runs()).map(line => /^up (\d)$/.exec(line)![1])
  assert.is(
    ups.reduce((sum, count) => sum + Number(count), 0),
    3,
    'the hosts that were starting counted'
  )
  await until(async () => (await scale()).now === 3)
  assert.not.ok(joined.some(({ died }) => died))

  for (const each of joined) each.close()
  const downs = async () => (await runs()).filter(line => line.startsWith('down '))
  await until(async () => (await downs()).length === 2)
  const gone = (await downs()).map(line => line.slice('down '.length))
  await until(async () => (await scale()).now === 1)
  const alive = await until(async () => {
    const left = (await hosts()).filter(({ pid }) => isAlive(pid))
    return left.length === 1 && left
  })
  assert.equal(
    alive.map(({ url }) => gone.includes(url)),
    [false]
  )

  const before = arrived.length
  await until(() => arrived.length > before + 50)
  assert.equal([missed(), ended], [[], []])
})

test.run()
