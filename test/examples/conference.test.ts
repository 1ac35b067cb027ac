// The conference example is an application for plain mediasoup: it runs as it is, on plain mediasoup
// and on each sort of tree, and real RTP goes from Router to Router.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Member, enter as enterBy } from '../kit/signalling.ts'
import { afterTest, cleanUp, until } from '../helper.ts'
import { startApplication, trees } from './trees.ts'

cleanUp(test)

const AUDIO_LEVEL = { uri: 'urn:ietf:params:rtp-hdrext:ssrc-audio-level' as const, id: 10 }
const PACKETS = 50

for (const [name, start] of Object.entries(trees)) {
  test(`the application runs on ${name}, with no line changed`, async () => {
    // A Router for each participant, so that all media crosses Routers.
    const env = { ROUTER_SIZE: '1', STATS_SECONDS: '1' }
    const port = await startApplication('examples/conference/server.ts', await start(), env)
    const url = `ws://127.0.0.1:${port}/room`
    const [ada, ben] = [await enter(url, 'ada'), await enter(url, 'ben')]
    const voice = await speak(ada)
    const { producerId } = await ben.hears('produced')
    const { packets } = await listen(ben, producerId as string)
    await until(() => packets.length >= PACKETS)
    assert.equal([...new Set(packets.map(packet => String(packet.subarray(-5))))], ['voice'])
    const loud = await ben.hears('volume')
    assert.is(loud.participant, 'ada')

    const recording = await record(ben, producerId as string)
    if (recording) await until(async () => (await stat(recording)).size > 0)

    voice.stop()
    ada.socket.close()
    assert.equal(await ben.hears('left'), { participant: 'ada' })
    await ben.hears('consumerClosed')
  })
}

async function enter(url: string, id: string): Promise<Member> {
  const member = await enterBy(`${url}?id=${id}`)
  afterTest(() => member.socket.terminate())
  return member
}

/** Sends audio, packet after packet, until it is stopped. */
async function speak(member: Member) {
  const { id: transportId, ip, port } = await member.ask('createPlainTransport')
  await member.ask('produce', {
    transportId,
    kind: 'audio',
    rtpParameters: {
      codecs: [{ mimeType: 'audio/opus', payloadType: 111, clockRate: 48000, channels: 2 }],
      headerExtensions: [AUDIO_LEVEL],
      encodings: [{ ssrc: 1111 }]
    }
  })
  const socket = createSocket('udp4')
  let sequence = 0
  const timer = setInterval(() => socket.send(loud(sequence++), port as number, ip as string), 10)
  const stop = () => {
    clearInterval(timer)
    if (sequence >= 0) socket.close()
    sequence = -1
  }
  afterTest(() => sequence >= 0 && stop())
  return { stop }
}

/** An RTP packet that says how loud it is (RFC 6464). */
function loud(sequence: number): Buffer {
  const header = Buffer.alloc(20)
  header[0] = 0x90 // Version 2, with a header extension.
  header[1] = 111
  header.writeUInt16BE(sequence, 2)
  header.writeUInt32BE(sequence * 960, 4)
  header.writeUInt32BE(1111, 8)
  header.writeUInt16BE(0xbede, 12)
  header.writeUInt16BE(1, 14)
  header[16] = AUDIO_LEVEL.id << 4
  header[17] = 0x80 | 10 // Voice, at -10 dBov.
  return Buffer.concat([header, Buffer.from('voice')])
}

async function listen(member: Member, producerId: string) {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  afterTest(() => socket.close())
  await once(socket, 'listening')
  const packets: Buffer[] = []
  socket.on('message', packet => {
    if (packet[1]! < 192) packets.push(packet) // And no RTCP.
  })
  const { id: transportId } = await member.ask('createPlainTransport', { comedia: false })
  const { port } = socket.address() as AddressInfo
  await member.ask('connectTransport', { transportId, ip: '127.0.0.1', port })
  const { id: consumerId } = await member.ask('consume', { transportId, producerId })
  await member.ask('resume', { consumerId })
  return { packets }
}

/** Records to a file, if there is a program for that; if not, the application says so. */
async function record(member: Member, producerId: string): Promise<string | undefined> {
  const isThere = ['ffmpeg', 'gst-launch-1.0'].some(name => !spawnSync(name, ['--version']).error)
  const folder = await mkdtemp(join(tmpdir(), 'conference-'))
  afterTest(() => rm(folder, { recursive: true }))
  const file = join(folder, 'voice.webm')
  const recorded = member.ask('record', { producerId, file })
  if (isThere) return recorded.then(() => file)
  const why = await recorded.then(String, ({ message }) => message as string)
  assert.match(why, 'install one of them')
}

test.run()
