// A head is read only where nothing that follows could say otherwise.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { headOf } from '../../lib/first-bytes.ts'
import type { Frame } from '../../lib/tier.ts'
import { encodeFailure, encodeNotification, encodeRequest, encodeResult } from '../../lib/wire.ts'

const readOf = (frame: Frame) => {
  const { length: _, ...head } = headOf(frame)!
  return head
}

test('the head of a frame with its keys in order is read from its first bytes', () => {
  assert.equal(readOf(encodeRequest(12, 'Consumer.pause', ['k3x/31', {}])), { id: 12, method: 'Consumer.pause', handle: 'k3x/31' })
  assert.equal(readOf(encodeRequest('é', 'DataProducer.send', ['k3x/9', Buffer.from('payload')])), { id: 'é', method: 'DataProducer.send', handle: 'k3x/9' })
  assert.equal(readOf(encodeNotification('tier.log', [['warn']])), { id: undefined, method: 'tier.log', handle: undefined })
  assert.equal(readOf(encodeResult(12, {})), { id: 12, method: undefined, handle: undefined })
  assert.equal(readOf(encodeFailure(null, { code: -32000, message: 'no' })), { id: null, method: undefined, handle: undefined })
})

test('an id may be any finite number, as JavaScript writes it', () => {
  for (const id of [0, -5, 0.5, 1e20, 1e21, 1.5e-7, -2.25e100]) assert.is(headOf(encodeResult(id, {}))?.id, id)
})

const unread: [what: string, frame: string | Buffer][] = [
  ['an id that follows the params', '{"jsonrpc":"2.0","method":"a","params":["k3x/1"],"id":5}'],
  ['a second method', '{"jsonrpc":"2.0","id":5,"method":"a","params":[],"method":"b"}'],
  ['a handle with an escaped slash', '{"jsonrpc":"2.0","id":5,"method":"a","params":["k3x\\/1"]}'],
  ['a space before the handle', '{"jsonrpc":"2.0","id":5,"method":"a","params":[ "k3x/1"]}'],
  ['an infinite id', '{"jsonrpc":"2.0","id":1e400,"method":"a","params":[]}'],
  ['a header that ends before its head does', Buffer.concat([Buffer.of(0, 3), Buffer.from('{"jsonrpc":"2.0","id":5,"method":"a","params":[]}')])],
  ['a header that is longer than its frame', Buffer.concat([Buffer.of(1, 3), Buffer.from('{"jsonrpc":"2.0","id":5,"method":"a","params":[]}')])]
]

for (const [what, frame] of unread) {
  test(`not with ${what}`, () => assert.is(headOf(frame), undefined))
}

test.run()
