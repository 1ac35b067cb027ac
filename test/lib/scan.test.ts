// What is read of a frame without taking it apart is what JSON makes of it.

import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { headOf } from '../../lib/head.ts'
import { scan } from '../../lib/scan.ts'
import { encodeNotification, encodeRequest } from '../../lib/wire.ts'

const FRAMES = 20_000

const depthOf = (value: unknown): number =>
  typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0

const heads = ['{"jsonrpc":"2.0","id":5,"method":"Router.close","params":[', '{"jsonrpc":"2.0","id":"]}","method":"a.b","params":[', '{"jsonrpc":"2.0","method":"a","params":[']
const pieces = ['"k3x/1"', '{"$":"k3x/1"}', '[[{}]]', '"]}"', '"\\\\"', '"\\"]}"', '"é"', '1', ',', ']', '}', '[', '{', '"', '\\', ',"id":6', ',"method":"b.c"', ',"params":["k3x/2"]', ',"more":[1]']

/** Some are messages, some contradict their heads, and some are no JSON. */
const frames = fc.tuple(fc.constantFrom(...heads), fc.array(fc.constantFrom(...pieces), { maxLength: 6 }), fc.constantFrom(']}', '}'))
  .map(([head, rest, end]) => head + rest.join('') + end)

test('a frame with nothing behind its params says what its head says, and one that has something is not plain', () => {
  const seen = { plain: 0, more: 0 }
  fc.assert(fc.property(frames, frame => {
    let message
    try {
      message = JSON.parse(frame) as { id?: unknown; method: string; params: unknown[] }
    } catch {
      return
    }
    const head = headOf(frame)
    const { depth, plain } = scan(frame, head)
    assert.ok(plain ? depth === depthOf(message) : depth >= depthOf(message)) // JSON forgets the first of two members.
    assert.is(plain, head !== undefined && Object.keys(message).at(-1) === 'params' && frame.lastIndexOf('"params":') === frame.indexOf('"params":'))
    if (!plain) return void seen.more++
    seen.plain++
    const [first] = message.params
    assert.equal([head!.id, head!.method, head!.handle], [message.id, message.method, typeof first === 'string' ? first : undefined])
  }), { numRuns: FRAMES, seed: 3 })
  assert.ok(seen.plain > 100 && seen.more > 100, JSON.stringify(seen))
})

test('a binary frame is read as its header', () => {
  const frame = encodeRequest(12, 'DataProducer.send', ['k3x/9', Buffer.from(']}[[[['), [[]]])
  assert.equal(scan(frame, headOf(frame)), { depth: 4, plain: true })
})

test('the params of a call may be its handle, or nothing', () => {
  for (const params of [['k3x/1'], []]) {
    const frame = encodeNotification('Consumer.close', params)
    assert.equal(scan(frame, headOf(frame)), { depth: 2, plain: true })
  }
})

test.run()
