import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { GONE, decodeValue, encodeValue } from '../../lib/codec.ts'
import { ProtocolError } from '../../lib/errors.ts'

const router = { name: 'a router' }
const producer = { name: 'a producer' }
const handles = new Map<object, string>([
  [router, 'k3x/3'],
  [producer, 'k3x/9']
])
const objects = new Map([...handles].map(([object, handle]) => [handle, object]))

const refer = (object: object) => {
  const $ = handles.get(object)
  return $ === undefined ? undefined : { $ }
}
const resolve = ({ $ }: { $: string }) => objects.get($) ?? GONE

const table: [decoded: unknown, encoded: unknown][] = [
  ['text', 'text'],
  [0, 0],
  [null, null],
  [true, true],
  [
    [1, 'a', [null]],
    [1, 'a', [null]]
  ],
  [{ a: { b: [] } }, { a: { b: [] } }],
  [router, { $: 'k3x/3' }],
  [
    { producerId: 'x', router },
    { producerId: 'x', router: { $: 'k3x/3' } }
  ],
  [[{ producer, volume: -40 }], [{ producer: { $: 'k3x/9' }, volume: -40 }]],
  [{ size: 12n }, { size: { $: 'bigint', value: '12' } }]
]

for (const [decoded, encoded] of table) {
  test(`${JSON.stringify(encoded)} is encoded and decoded`, () => {
    assert.equal(encodeValue(decoded, refer), encoded)
    assert.equal(decodeValue(structuredClone(encoded), resolve), decoded)
  })
}

test('an object comes back as itself', () => {
  assert.is(decodeValue({ $: 'k3x/3' }, resolve), router)
})

test('bytes are left as they are', () => {
  const bytes = Buffer.from('abc')
  assert.is(encodeValue(bytes, refer), bytes)
  assert.is(decodeValue(bytes, resolve), bytes)
})

test('an error keeps its class and message, and leaves its stack behind', () => {
  const encoded = encodeValue(new TypeError('ip must be a string'), refer)
  assert.equal(encoded, {
    $: 'error',
    code: -32000,
    message: 'ip must be a string',
    data: { name: 'TypeError' }
  })
  const decoded = decodeValue(encoded, resolve)
  assert.instance(decoded, TypeError)
  assert.is((decoded as Error).message, 'ip must be a string')
})

test('a list leaves out what is gone, and is gone itself when nothing is left', () => {
  const entry = ($: string) => ({ producer: { $ }, volume: -40 })
  assert.equal(decodeValue([entry('k3x/9'), entry('k3x/10')], resolve), [{ producer, volume: -40 }])
  assert.is(decodeValue([entry('k3x/10')], resolve), GONE)
  assert.is(decodeValue({ producer: { $: 'k3x/10' } }, resolve), GONE)
})

test('arguments that nest too deep are refused, also when there are very many levels', () => {
  for (const levels of [40, 5_000]) {
    const deep = JSON.parse('['.repeat(levels) + ']'.repeat(levels))
    assert.throws(
      () => decodeValue(deep, resolve),
      (error: Error) => error instanceof ProtocolError && /at most 32 levels/.test(error.message)
    )
  }
})

test('a bigint that is none, or too large, is refused', () => {
  for (const value of ['1'.repeat(21), 'x', 12, undefined]) {
    assert.throws(() => decodeValue({ $: 'bigint', value }, resolve), /at most 20 digits/)
  }
})

test('a member named __proto__ is refused', () => {
  assert.throws(() => decodeValue(JSON.parse('{"__proto__": {"a": 1}}'), resolve), /"__proto__"/)
})

test.run()
