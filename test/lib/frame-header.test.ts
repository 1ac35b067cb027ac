// What is read of a frame without parsing it is what JSON makes of it.

import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { LimitError, ProtocolError } from '../../lib/errors.ts'
import { SMALL_FRAME, checkDepth, peekHeader } from '../../lib/frame-header.ts'
import {
  type Message,
  decode,
  encodeFailure,
  encodeNotification,
  encodeRequest,
  encodeResult,
  headerOf,
  normalize
} from '../../lib/wire.ts'

test('the header of a frame with its keys in order is read from its first bytes', () => {
  assert.equal(peekHeader(encodeRequest(12, 'Consumer.pause', ['k3x/31', {}])), {
    id: 12,
    method: 'Consumer.pause',
    handle: 'k3x/31'
  })
  assert.equal(
    peekHeader(encodeRequest('é', 'DataProducer.send', ['k3x/9', Buffer.from('payload')])),
    { id: 'é', method: 'DataProducer.send', handle: 'k3x/9' }
  )
  assert.equal(peekHeader(encodeNotification('tier.log', [['warn']])), {
    id: undefined,
    method: 'tier.log',
    handle: undefined
  })
  assert.equal(peekHeader(encodeResult(12, {})), { id: 12, method: undefined, handle: undefined })
  assert.equal(peekHeader(encodeFailure(null, { code: -32000, message: 'no' })), {
    id: null,
    method: undefined,
    handle: undefined
  })
})

test('a request may say its trace, which stays with it however it is written', () => {
  const trace = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  const frame = encodeRequest(12, 'Consumer.pause', ['k3x/31'], trace)
  const head = { id: 12, method: 'Consumer.pause', handle: 'k3x/31', trace }
  assert.equal(peekHeader(frame), head)
  const { id, method, params } = decode(frame) as { id: number; method: string; params: unknown[] }
  const written = JSON.stringify(
    { id, method, params, traceparent: trace, jsonrpc: '2.0' },
    null,
    1
  )
  assert.is(peekHeader(written), undefined)
  assert.equal(normalize(written), { frame, head })
})

test('an id may be any finite number, as JavaScript writes it', () => {
  for (const id of [0, -5, 0.5, 1e20, 1e21, 1.5e-7, -2.25e100])
    assert.is(peekHeader(encodeResult(id, {}))?.id, id)
})

const unread: [what: string, frame: string | Buffer][] = [
  ['an id that follows the params', '{"jsonrpc":"2.0","method":"a","params":["k3x/1"],"id":5}'],
  ['a second method', '{"jsonrpc":"2.0","id":5,"method":"a","params":[],"method":"b"}'],
  ['a handle with an escaped slash', '{"jsonrpc":"2.0","id":5,"method":"a","params":["k3x\\/1"]}'],
  ['a space before the handle', '{"jsonrpc":"2.0","id":5,"method":"a","params":[ "k3x/1"]}'],
  ['an infinite id', '{"jsonrpc":"2.0","id":1e400,"method":"a","params":[]}'],
  [
    'a header that ends before its head does',
    Buffer.concat([
      Buffer.of(0, 3),
      Buffer.from('{"jsonrpc":"2.0","id":5,"method":"a","params":[]}')
    ])
  ],
  [
    'a header that is longer than its frame',
    Buffer.concat([
      Buffer.of(1, 3),
      Buffer.from('{"jsonrpc":"2.0","id":5,"method":"a","params":[]}')
    ])
  ]
]

for (const [what, frame] of unread) {
  test(`not with ${what}`, () => assert.is(peekHeader(frame), undefined))
}

// A message in any style: members in any order, spaces, escapes; and perhaps a member twice.
const text = fc.constantFrom('k3x/1', 'Consumer.pause', '', 'a"b', 'é', 'x\\y', ']}', '{"')
const value = fc.oneof(
  text,
  fc.integer(),
  fc.constantFrom(null, true, {}, [], [[1]], { $: 'k3x/2' }, { method: 'a', params: ['k3x/9'] })
)
const id = fc.oneof(
  fc.integer(),
  text,
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constant(null)
)
const members = fc.record({
  id: fc.option(id, { nil: undefined }),
  method: fc.option(text, { nil: undefined }),
  params: fc.option(fc.array(value, { maxLength: 3 }), { nil: undefined }),
  result: fc.option(value, { nil: undefined }),
  more: fc.option(
    fc.constantFrom<[string, unknown]>(
      ['id', 6],
      ['method', 'b.c'],
      ['params', ['k3x/2']],
      ['more', [1]]
    ),
    { nil: undefined }
  )
})
const seed = fc.array(fc.nat(), { minLength: 6, maxLength: 6 })
const style = fc.oneof(
  fc.record({
    shuffle: fc.constant(false),
    spaces: fc.constant(false),
    escapes: fc.constant(false),
    seed
  }),
  fc.record({ shuffle: fc.boolean(), spaces: fc.boolean(), escapes: fc.boolean(), seed })
)

type Members = typeof members extends fc.Arbitrary<infer T> ? T : never
type Style = typeof style extends fc.Arbitrary<infer T> ? T : never

function write({ more, ...rest }: Members, { shuffle, spaces, escapes, seed }: Style): string {
  const given: [string, unknown][] = [
    ['jsonrpc', '2.0'],
    ...Object.entries(rest).filter(([, each]) => each !== undefined),
    ...(more ? [more] : [])
  ]
  const ordered = shuffle
    ? given
        .map((each, i) => [seed[i % seed.length]!, each] as const)
        .toSorted(([one], [other]) => one - other)
        .map(([, each]) => each)
    : given
  const space = spaces ? ' ' : ''
  const word = (each: unknown) =>
    escapes
      ? JSON.stringify(each)?.replace(
          /[a-z](?=[a-z.]*")/,
          letter => `\\u00${letter.charCodeAt(0).toString(16)}`
        )
      : JSON.stringify(each)
  return `{${ordered.map(([name, each]) => `${word(name)}:${space}${word(each)}`).join(`,${space}`)}}`
}

const headerIn = ({
  id,
  method,
  params
}: {
  id?: unknown
  method?: string | undefined
  params?: unknown[] | undefined
}) => ({
  id,
  method,
  handle: method !== undefined && typeof params?.[0] === 'string' ? params[0] : undefined
})

/** What counts of a message. */
const essence = ({ id, method, params, result, error }: Loose) =>
  method === undefined ? { id, result: result ?? null, error } : { id, method, params }
type Loose = { [name in 'id' | 'method' | 'params' | 'result' | 'error']?: unknown }

function decoded(frame: string): Message | ProtocolError {
  try {
    return decode(frame)
  } catch (error) {
    return error as ProtocolError
  }
}

test('however a message is written, its header is that of the parsed message; or the frame is refused', () => {
  const seen = { peeked: 0, normalized: 0, refused: 0 }
  fc.assert(
    fc.property(members, style, (message, how) => {
      const frame = write(message, how)
      const peeked = peekHeader(frame)
      const parsed = decoded(frame)
      if (parsed instanceof Error) {
        // What it seems to be, it is not: of members that stand there twice, JSON takes the last.
        if (!peeked) assert.is(headerOf(frame), undefined)
        return void seen.refused++
      }
      assert.equal(headerOf(frame), headerIn(parsed as Message & { params?: unknown[] }))
      if (peeked) return void seen.peeked++
      const { frame: normal, head } = normalize(frame)
      // A handle with a quote in it cannot be peeked at in any style.
      assert.equal(peekHeader(normal) ?? headerOf(normal), head)
      assert.equal(essence(decode(normal)), essence(parsed))
      seen.normalized++
    }),
    { numRuns: 10_000 }
  )
  assert.ok(Math.min(...Object.values(seen)) > 200, JSON.stringify(seen))
})

const nested = (depth: number, size: number) =>
  `${'['.repeat(depth)}${'"]}[[[["'}${']'.repeat(depth)}`.padEnd(size)

test('a large frame that nests too deep is refused before it is parsed; what is in strings does not nest', () => {
  checkDepth(nested(32, SMALL_FRAME), 32)
  assert.throws(
    () => checkDepth(nested(33, SMALL_FRAME), 32),
    (error: LimitError) =>
      error instanceof LimitError && error.message === 'a message nests at most 32 levels deep'
  )
  checkDepth(`"\\"${'['.repeat(SMALL_FRAME)}\\\\"`, 1)
  checkDepth(`"${'['.repeat(SMALL_FRAME)}`, 1)
})

test('what a small frame nests does no harm, and is not looked at', () => {
  const small = '['.repeat(SMALL_FRAME / 2 - 1) + ']'.repeat(SMALL_FRAME / 2 - 1)
  checkDepth(small, 32)
  assert.is(JSON.stringify(JSON.parse(small)), small)
})

test('the depth of a binary frame is that of its header', () => {
  const frame = (params: unknown[]) =>
    encodeRequest(12, 'DataProducer.send', [
      'k3x/9',
      Buffer.from(']}[[[['),
      'x'.repeat(SMALL_FRAME),
      ...params
    ])
  checkDepth(frame([[[]]]), 4)
  assert.throws(
    () => checkDepth(frame([[[[]]]]), 4),
    (error: Error) => error instanceof LimitError
  )
})

test.run()
