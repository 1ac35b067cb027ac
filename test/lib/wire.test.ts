import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ProtocolError } from '../../lib/errors.ts'
import type { Frame } from '../../lib/tier.ts'
import {
  decode,
  encodeFailure,
  encodeNotification,
  encodeRequest,
  encodeResult
} from '../../lib/wire.ts'

test('the keys of a frame are in the order that lets a proxy route it from its first bytes', () => {
  assert.is(
    encodeRequest(12, 'Consumer.pause', ['k3x/31']),
    '{"jsonrpc":"2.0","id":12,"method":"Consumer.pause","params":["k3x/31"]}'
  )
  assert.is(
    encodeNotification('Consumer.close', ['k3x/31']),
    '{"jsonrpc":"2.0","method":"Consumer.close","params":["k3x/31"]}'
  )
  assert.is(encodeResult(12, undefined), '{"jsonrpc":"2.0","id":12,"result":null}')
  assert.is(
    encodeFailure(12, { code: -32000, message: 'no' }),
    '{"jsonrpc":"2.0","id":12,"error":{"code":-32000,"message":"no"}}'
  )
})

test('keys in another order are read all the same', () => {
  assert.equal(decode('{"params":["k3x/31"],"method":"Consumer.pause","id":"a","jsonrpc":"2.0"}'), {
    id: 'a',
    method: 'Consumer.pause',
    params: ['k3x/31']
  })
})

test('a packet travels as it is, behind a header', () => {
  const packet = Buffer.from([0x80, 111, 0, 255])
  const frame = encodeNotification('Producer.send', ['k3x/9', packet]) as Buffer
  const header = '{"jsonrpc":"2.0","method":"Producer.send","params":["k3x/9",{"$":"payload"}]}'
  assert.is(frame.readUInt16BE(), header.length)
  assert.is(frame.toString('utf8', 2, 2 + header.length), header)
  assert.equal(frame.subarray(2 + header.length), packet)
  assert.equal(decode(frame), { id: undefined, method: 'Producer.send', params: ['k3x/9', packet] })
})

test('a message of bytes keeps its place among the arguments, and may be empty', () => {
  const frame = encodeRequest(1, 'DataConsumer.send', ['k3x/9', Buffer.alloc(0), 57])
  assert.equal(decode(frame), {
    id: 1,
    method: 'DataConsumer.send',
    params: ['k3x/9', Buffer.alloc(0), 57]
  })
})

const bad: [what: string, frame: Frame, code: number, message: RegExp][] = [
  ['text that is not JSON', 'hello', -32700, /in JSON/],
  ['an empty frame', '', -32700, /in JSON/],
  ['a batch', '[{"jsonrpc":"2.0","id":1,"method":"a"}]', -32600, /batches are not supported/],
  ['a number', '7', -32600, /is an object \(got number\)/],
  ['null', 'null', -32600, /is an object \(got null\)/],
  ['another version', '{"jsonrpc":"1.0","id":1,"method":"a"}', -32600, /"jsonrpc": "2.0"/],
  ['no method, no answer', '{"jsonrpc":"2.0","id":1}', -32600, /a method, a result or an error/],
  [
    'an id that is an object',
    '{"jsonrpc":"2.0","id":{},"method":"a"}',
    -32600,
    /a number or a string/
  ],
  ['a method that is a number', '{"jsonrpc":"2.0","id":1,"method":1}', -32600, /is a string/],
  ['named params', '{"jsonrpc":"2.0","id":1,"method":"a","params":{}}', -32602, /are an array/],
  ['one byte', Buffer.of(1), -32700, /two bytes/],
  ['a header that is longer than its frame', Buffer.of(255, 255, 1), -32700, /65537 of 3 bytes/],
  ['binary garbage', Buffer.of(0, 3, 1, 2, 3, 4), -32700, /in JSON/],
  [
    'a payload that no parameter names',
    Buffer.concat([
      Buffer.of(0, 40),
      Buffer.from('{"jsonrpc":"2.0","method":"a","params":[]}').subarray(0, 40)
    ]),
    -32700,
    /in JSON/
  ]
]

for (const [what, frame, code, message] of bad) {
  test(`${what} is refused with a code and a sentence`, () => {
    assert.throws(
      () => decode(frame),
      (error: ProtocolError) =>
        error instanceof ProtocolError && error.code === code && message.test(error.message)
    )
  })
}

test('what a proxy would read in another way than the leaf is refused with the id that the proxy has read', () => {
  const frames = [
    '{"jsonrpc":"2.0","id":1,"method":"a","params":["k3x/1"],"method":"b","params":["k3x/1"]}',
    '{"jsonrpc":"2.0","id":1,"method":"a","params":["k3x/1"],"params":["k3x/2"]}',
    '{"jsonrpc":"2.0","id":1,"method":"a","params":["k3x/1"],"id":2,"params":["k3x/1"]}'
  ]
  for (const frame of frames)
    assert.throws(
      () => decode(frame),
      (error: ProtocolError) => error.code === -32600 && error.id === 1
    )
})

test('an error about a frame whose head can be read has its id', () => {
  assert.throws(
    () => decode('{"jsonrpc":"2.0","id":7,"method":"a","params":[['),
    (error: ProtocolError) => error.code === -32700 && error.id === null
  )
  assert.throws(
    () => decode('{"jsonrpc":"2.0","id":7,"method":"a","params":[{,]}'),
    (error: ProtocolError) => error.code === -32700 && error.id === 7
  )
})

test('an id that cannot be written in an answer is none', () => {
  assert.throws(
    () => decode('{"jsonrpc":"2.0","id":1e400,"method":"a"}'),
    (error: ProtocolError) => error.code === -32600 && error.id === null
  )
  assert.is(decode('{"jsonrpc":"2.0","id":{"a":1},"result":1}').id, null)
})

test('a binary frame must name its payload', () => {
  const header = '{"jsonrpc":"2.0","method":"a","params":[1]}'
  const frame = Buffer.concat([
    Buffer.of(0, header.length),
    Buffer.from(header),
    Buffer.from('payload')
  ])
  assert.throws(() => decode(frame), /names its payload/)
})

test.run()
