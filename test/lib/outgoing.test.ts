// What a link does with a frame that is too large, or for which there is no room.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Budget } from '../../lib/budget.ts'
import { LimitError, codes } from '../../lib/errors.ts'
import { type Room, admit } from '../../lib/outgoing.ts'
import { FrameQueue } from '../../lib/queue.ts'
import type { Frame } from '../../lib/tier.ts'
import {
  type Failure,
  decode,
  encodeNotification,
  encodeRequest,
  encodeResult
} from '../../lib/wire.ts'

const room: Room = {
  maxPayload: 1_000,
  waiting: 0,
  backlog: 0,
  maxBacklog: 10_000,
  connected: true
}
const large = 'é'.repeat(500)
const packet = encodeNotification('Producer.send', ['a/1', Buffer.alloc(100)])
const rtp = encodeNotification('Consumer.rtp', ['a/1', null, Buffer.alloc(100)])
const message = encodeNotification('DataProducer.send', ['a/1', Buffer.alloc(100)])
const close = encodeNotification('Router.close', ['a/1'])
const call = encodeRequest(7, 'Router.dump', ['a/1'])

test('a frame that fits is sent as it is', () => {
  for (const frame of [packet, message, close, call, encodeResult(7, 'x'.repeat(900))])
    assert.equal(admit(frame, undefined, room), { frame })
})

test('size is that of the bytes: a larger request is answered, an answer replaced, a message dropped, each with a sentence', () => {
  const sizeOf = (frame: Frame) => Buffer.byteLength(frame as string)
  const request = encodeRequest('a', 'Router.dump', ['a/1', large])
  const { answer } = admit(request, undefined, room)
  assert.equal(decode(answer!), {
    jsonrpc: '2.0',
    id: 'a',
    error: {
      code: codes.size,
      message: `Router.dump has ${sizeOf(request)} bytes, and the peer takes at most 1000`,
      data: { name: 'LimitError' }
    }
  })
  const result = encodeResult(7, large)
  const { frame } = admit(result, undefined, room)
  assert.equal(decode(frame!), {
    jsonrpc: '2.0',
    id: 7,
    error: {
      code: codes.size,
      message: `the answer has ${sizeOf(result)} bytes, and the peer takes at most 1000`,
      data: { name: 'LimitError' }
    }
  })
  const text = encodeNotification('DataProducer.send', ['a/1', large])
  const { dropped, ...rest } = admit(text, undefined, room)
  assert.is(
    dropped!.message,
    `DataProducer.send has ${sizeOf(text)} bytes, and the peer takes at most 1000`
  )
  assert.equal(rest, {})
})

test('packets are dropped in both directions when more than 1 MiB waits, or nothing carries them; messages are not', () => {
  for (const late of [
    { ...room, waiting: 1024 * 1024 + 1 },
    { ...room, connected: false }
  ]) {
    for (const frame of [packet, rtp]) assert.equal(admit(frame, undefined, late), {})
    assert.equal(admit(message, undefined, late), { frame: message })
  }
})

test('when three quarters of the backlog are full, requests and messages are refused, and nothing else', () => {
  const full = { ...room, backlog: 7_500 }
  const { code, message: sentence } = (
    decode(admit(call, undefined, full).answer!) as { error: Failure }
  ).error
  assert.equal(
    [code, sentence],
    [
      codes.inFlight,
      'Router.dump has to wait: 7500 bytes of at most 10000 wait to be sent, or to arrive'
    ]
  )
  assert.throws(
    () => admit(message, undefined, full),
    (error: Error) =>
      error instanceof LimitError && /^DataProducer\.send has to wait/.test(error.message)
  )
  for (const frame of [close, encodeResult(7, null), encodeNotification('Consumer.score', ['a/1'])])
    assert.equal(admit(frame, undefined, full), { frame })
})

test('a budget ends who holds most, until the others fit', () => {
  const budget = new Budget(100)
  const ended: string[] = []
  const holders = [
    ['small', 20],
    ['large', 70],
    ['larger', 80]
  ].map(([name, held]) => {
    const leave = budget.enter({
      held: held as number,
      end: error => ended.push(`${name}: ${error.message}`)
    })
    return { name, leave }
  })
  budget.add(1)
  assert.equal(ended, [], 'the sum is not taken for each byte')
  budget.add(10)
  assert.equal(ended, [
    'larger: all sessions together keep more than 100 bytes, and this one kept most: 80'
  ])
  holders[1]!.leave()
  budget.enter({ held: 75, end: () => ended.push('late') })
  budget.add(10)
  assert.is(ended.length, 1, 'who has left holds nothing')
})

test('a queue gives back what it was given, in order, and knows how much that is', () => {
  const queue = new FrameQueue()
  const taken: unknown[] = []
  for (let i = 0; i < 3_000; i++) {
    queue.push(String(i))
    if (i % 3 === 0) taken.push(queue.shift())
  }
  assert.is(queue.length, 2_000)
  const { size } = queue
  const rest = Array.from({ length: 2_000 }, () => queue.shift())
  assert.is(size, rest.join('').length)
  assert.equal(
    [...taken, ...rest],
    Array.from({ length: 3_000 }, (_, i) => String(i))
  )
  assert.equal([queue.length, queue.size], [0, 0])
})

test.run()
