import { errors } from 'mediasoup'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  ConnectionError,
  IncompatibleError,
  ProtocolError,
  describeError,
  reviveError
} from '../../lib/errors.ts'

const { NotFoundError, UnsupportedError, WorkerClosedError } = errors

const travel = (error: unknown) => reviveError(JSON.parse(JSON.stringify(describeError(error))))

for (const type of [
  TypeError,
  RangeError,
  NotFoundError,
  UnsupportedError,
  WorkerClosedError,
  ConnectionError,
  IncompatibleError
]) {
  test(`${type.name} keeps its class and its message over two tiers`, () => {
    const error = travel(travel(new type('the ip must be a string')))
    assert.instance(error, type)
    assert.is(error.name, type.name)
    assert.is(error.message, 'the ip must be a string')
  })
}

test('a ProtocolError keeps its code', () => {
  const error = travel(new ProtocolError(-32601, 'unknown method "a"'))
  assert.instance(error, ProtocolError)
  assert.is((error as ProtocolError).code, -32601)
})

test('a ConnectionError keeps the code with which the connection was closed', () => {
  for (const closeCode of [4401, undefined]) {
    assert.is(
      (travel(new ConnectionError('the connection was lost', { closeCode })) as ConnectionError)
        .closeCode,
      closeCode
    )
  }
})

test('an error of an unknown class keeps its name', () => {
  const error = travel(Object.assign(new Error('odd'), { name: 'OddError' }))
  assert.instance(error, Error)
  assert.is(error.name, 'OddError')
})

test('a code of JSON-RPC without a name is a ProtocolError: other servers say no more', () => {
  assert.instance(reviveError({ code: -32601, message: 'Method not found' }), ProtocolError)
})

test('what is thrown and is no error arrives as one', () => {
  assert.is(travel('a string').message, 'a string')
})

test('stacks stay where they are', () => {
  assert.not.match(JSON.stringify(describeError(new Error('x'))), /errors\.test/)
})

test.run()
