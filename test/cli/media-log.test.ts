// What clients make mediasoup say does not fill the operator's log.

import { createServer } from 'node:net'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { mock as clock } from 'node:test'
import { pino } from 'pino'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { mediaLog } from '../../cli/media-log.ts'
import { afterTest, cleanUp, connectLeaf, rejection } from '../helper.ts'

cleanUp(test)

interface Line {
  msg: string
  level: number
  leftOut?: number
}

function logged() {
  const lines: Line[] = []
  const { onwarn, onerror } = mediaLog(pino({}, { write: line => lines.push(JSON.parse(line)) }))
  return { lines, warn: onwarn!, error: onerror! }
}

test('of each Worker and reason ten lines are written in ten seconds, and then how many were left out', () => {
  clock.timers.enable({ apis: ['setTimeout'] })
  afterTest(() => clock.timers.reset())
  const { lines, warn, error } = logged()
  for (let i = 0; i < 50; i++) {
    warn(
      'mediasoup:WARN:Channel',
      `[pid:1] RTC::Producer::ReceiveRtpPacket() | no stream [ssrc:${i}]`
    )
    warn(
      'mediasoup:WARN:Channel',
      `[pid:2] RTC::Producer::ReceiveRtpPacket() | no stream [ssrc:${i}]`
    )
    error('mediasoup:ERROR:Channel', `request failed [method:ROUTER_DUMP, id:${i}]: no`)
  }
  assert.is(lines.length, 30)
  error('mediasoup:ERROR:Worker', 'worker process died unexpectedly [pid:1]')
  assert.is(lines.length, 31)

  clock.timers.tick(10_000)
  assert.equal(
    lines.slice(31).map(({ level, leftOut }) => [level, leftOut]),
    [
      [40, 40],
      [40, 40],
      [50, 40]
    ]
  )
  warn('mediasoup:WARN:Channel', '[pid:1] RTC::Producer::ReceiveRtpPacket() | no stream [ssrc:51]')
  assert.is(lines.length, 35)
})

test('reasons that a client makes up are limited together', () => {
  clock.timers.enable({ apis: ['setTimeout'] })
  afterTest(() => clock.timers.reset())
  const { lines, warn } = logged()
  for (let i = 0; i < 10_000; i++) warn('mediasoup:WARN:ortc', `codec ${i.toString(26)} is none`)
  for (let i = 0; i < 1_000; i++) warn('mediasoup:WARN:ortc', `${'x'.repeat(i)} is no codec`)
  assert.ok(lines.length < 1_000, String(lines.length))
})

test('calls that a Worker refuses are few lines in the log of the host', async () => {
  const { mediasoup, lines } = await connectLeaf()
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  afterTest(() => taken.close())
  const { port } = taken.address() as AddressInfo
  const router = await (await mediasoup.createWorker()).createRouter()
  const listenInfo = { protocol: 'tcp', ip: '127.0.0.1', port } as const
  const refused = () => rejection(router.createWebRtcTransport({ listenInfos: [listenInfo] }))
  for (let i = 0; i < 100; i++) await refused()
  const said = lines.filter(line => /"level":(40|50)/.test(line))
  assert.ok(said.length > 0 && said.length < 60, `${said.length} lines`)
})

test.run()
