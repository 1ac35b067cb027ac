// A head is read only where nothing that follows could say otherwise.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { headOf } from '../../lib/head.ts'
import { encodeFailure, encodeNotification, encodeRequest, encodeResult } from '../../lib/wire.ts'

test('the head of a frame with its keys in order is read from its first bytes', () => {
  assert.equal(headOf(encodeRequest(12, 'Consumer.pause', ['k3x/31', {}])), { id: 12, method: 'Consumer.pause', handle: 'k3x/31' })
  assert.equal(headOf(encodeRequest('é', 'DataProducer.send', ['k3x/9', Buffer.from('payload')])), { id: 'é', method: 'DataProducer.send', handle: 'k3x/9' })
  assert.equal(headOf(encodeNotification('tier.log', [['warn']])), { id: undefined, method: 'tier.log', handle: undefined })
  assert.equal(headOf(encodeResult(12, {})), { id: 12, method: undefined, handle: undefined })
  assert.equal(headOf(encodeFailure(null, { code: -32000, message: 'no' })), { id: null, method: undefined, handle: undefined })
})

const unread: [what: string, frame: string | Buffer][] = [
  ['an id that follows the params', '{"jsonrpc":"2.0","method":"a","params":["k3x/1"],"id":5}'],
  ['a second method', '{"jsonrpc":"2.0","id":5,"method":"a","params":[],"method":"b"}'],
  ['a handle with an escaped slash', '{"jsonrpc":"2.0","id":5,"method":"a","params":["k3x\\/1"]}'],
  ['a space before the handle', '{"jsonrpc":"2.0","id":5,"method":"a","params":[ "k3x/1"]}'],
  ['a negative id', '{"jsonrpc":"2.0","id":-5,"method":"a","params":[]}'],
  ['a number of more digits than a double has', '{"jsonrpc":"2.0","id":12345678901234567890,"method":"a","params":[]}'],
  ['a header that ends before its head does', Buffer.concat([Buffer.of(0, 3), Buffer.from('{"jsonrpc":"2.0","id":5,"method":"a","params":[]}')])],
  ['a header that is longer than its frame', Buffer.concat([Buffer.of(1, 3), Buffer.from('{"jsonrpc":"2.0","id":5,"method":"a","params":[]}')])]
]

for (const [what, frame] of unread) {
  test(`not with ${what}`, () => assert.is(headOf(frame), undefined))
}

test.run()
