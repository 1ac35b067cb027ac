// What nobody sends who means well: values, as JSON text because JSON can say more than JavaScript,
// and whole frames.

import type { Random } from './random.ts'
import type { SessionView } from './session-view.ts'

const nested = (open: string, depth: number, close: string) =>
  open.repeat(depth) + '1' + close.repeat(depth)

const scalars = [
  'null',
  'true',
  'false',
  '0',
  '-0',
  '-1',
  '1',
  '1.5',
  '1e400',
  '-1e400',
  '1e-400',
  '65536',
  '2147483648',
  '4294967296',
  '9007199254740993',
  '123456789012345678901234567890',
  '""',
  '" "',
  '"\\ud800"',
  '"\\udc00\\ud800"',
  '"\\u0000"',
  '"\\ufeff"',
  '"\u2028"',
  '"__proto__"',
  '"constructor"',
  '"NaN"',
  '"Infinity"',
  '"-1"',
  '"audio/chicken"',
  '"127.0.0.1"',
  '"%s%n"',
  '"../../../etc/passwd"',
  '"udp"',
  '"video"',
  '"error"',
  '"newListener"',
  '"removeListener"',
  '"listenererror"',
  '"@close"',
  '["error"]',
  '{"toString":"error"}'
]

const composites = [
  '[]',
  '[[]]',
  '[null]',
  '[1,"a",{}]',
  '{}',
  '{"a":1,"a":2}',
  '{"":""}',
  '{"length":4294967295}',
  '{"then":1}',
  '{"toJSON":1}',
  '{"toString":null}',
  '{"type":"Buffer","data":[1,2]}',
  '{"__proto__":{"polluted":1}}',
  '{"__proto__":null}',
  '{"constructor":{"prototype":{"polluted":1}}}',
  '{"a":{"__proto__":[]}}',
  nested('[', 31, ']'),
  nested('[', 33, ']'),
  nested('[', 1_000, ']'),
  nested('{"a":', 31, '}'),
  nested('{"a":', 1_000, '}'),
  JSON.stringify('x'.repeat(10_000)),
  JSON.stringify('\u{1f600}'.repeat(2_000)),
  JSON.stringify(Array.from({ length: 2_000 }, (_, i) => i))
]

const references = [
  '{"$":null}',
  '{"$":7}',
  '{"$":""}',
  '{"$":[]}',
  '{"$":{"$":"payload"}}',
  '{"$":"__proto__"}',
  '{"$":"nobody/1"}',
  '{"$":"nobody/1","kind":"Router","of":"nobody/2","members":{}}',
  '{"$":"error"}',
  '{"$":"error","code":{},"message":[],"data":7}',
  '{"$":"error","code":-32000,"message":"no","data":{"name":"__proto__"}}',
  '{"$":"error","code":-32700,"message":"no"}',
  '{"$":"bigint"}',
  '{"$":"bigint","value":"12"}',
  '{"$":"bigint","value":"99999999999999999999"}',
  `{"$":"bigint","value":"${'9'.repeat(1_000)}"}`,
  '{"$":"bigint","value":"-"}',
  '{"$":"payload"}'
]

const everything = [...scalars, ...scalars, ...composites, ...references]

/** A value that is seldom wanted, as JSON. */
export function hostileValue(random: Random, known: SessionView): string {
  const object =
    random.oneIn(4) && known.objects.length
      ? random.pick(known.objects).handle
      : random.oneIn(10) && known.foreign.length
        ? random.pick(known.foreign)
        : undefined
  if (object === undefined) return random.pick(everything)
  return random.oneIn(2) ? JSON.stringify(object) : JSON.stringify({ $: object })
}

/** What stands where a handle is expected. */
export function hostileHandle(random: Random, known: SessionView): unknown {
  return random.pick<unknown>([
    '',
    '/',
    '__proto__',
    'nobody/1',
    '\u{1f600}/1',
    'x'.repeat(1_000),
    null,
    7,
    {},
    [],
    true,
    ...known.foreign.slice(0, 4),
    ...known.objects.slice(-8).map(({ handle }) => handle)
  ])
}

/** Whole frames of text: no JSON, no message, or a message that contradicts itself. */
export const texts: readonly string[] = [
  '',
  ' ',
  '\n',
  '{',
  '}',
  '[',
  ']',
  '"',
  'NaN',
  'Infinity',
  'undefined',
  'null',
  'true',
  '7',
  '-',
  '"tier.hello"',
  '[]',
  '[{}]',
  '{}',
  '{"jsonrpc":"2.0"}',
  '{"jsonrpc":2.0,"id":1}',
  '\ufeff{"jsonrpc":"2.0","method":"rpc.discover"}',
  '{"jsonrpc":"2.0","method":"x"}{"jsonrpc":"2.0","method":"x"}',
  "{'jsonrpc':'2.0'}",
  '{"jsonrpc":"2.0",}',
  '{"jsonrpc":"2.0","id":1,"method":"x","params":[',
  '{"jsonrpc":"2.0","id":1,"method":"x","params":["a"',
  '{"jsonrpc":"2.0","id":1e400,"method":"Router.dump","params":["x/1"]}',
  '{"jsonrpc":"2.0","id":null,"method":"Router.dump","params":["x/1"]}',
  '{"jsonrpc":"2.0","id":{},"method":"Router.dump","params":["x/1"]}',
  '{"jsonrpc":"2.0","id":[],"result":1}',
  '{"jsonrpc":"2.0","id":null,"result":1}',
  '{"jsonrpc":"2.0","result":1}',
  '{"jsonrpc":"2.0","error":{}}',
  '{"jsonrpc":"2.0","id":{"a":1},"error":null}',
  '{"jsonrpc":"2.0","method":"Router.dump","params":null}',
  '{"jsonrpc":"2.0","method":null}',
  '{"jsonrpc":"2.0","method":{"toString":1},"params":[]}',
  '{"jsonrpc":"2.0","id":1,"method":"x","params":["a"],"id":2}',
  '{"jsonrpc":"2.0","id":1,"method":"Router.dump","params":["x/1"],"method":"rpc.discover"}',
  '{"jsonrpc":"2.0","id":1,"method":"rpc.discover","params":["x/1"],"params":["x/2"]}',
  '{"jsonrpc":"2.0","id":1,"method":"tier.hello","params":[],"result":1}',
  '{"jsonrpc":"2.0","method":"x","params":["a"],"id":5}',
  '{"jsonrpc":"2.0","method":"mediasoup.createWorker","params":[],"method":"x"}',
  nested('[', 100_000, ']'),
  nested('{"a":', 50_000, '}'),
  '['.repeat(100_000),
  '{"jsonrpc":"2.0","id":1,"method":"x","params":' + nested('[', 100_000, ']') + '}'
]

const header = (text: string, length = Buffer.byteLength(text), rest = 'payload') => {
  const size = Buffer.alloc(2)
  size.writeUInt16BE(length)
  return Buffer.concat([size, Buffer.from(text), Buffer.from(rest)])
}

const send = '{"jsonrpc":"2.0","method":"Producer.send","params":["nobody/1",{"$":"payload"}]}'
const asked =
  '{"jsonrpc":"2.0","id":1,"method":"Producer.send","params":["nobody/1",{"$":"payload"}]}'

/** Whole binary frames, most of whose headers lie. */
export const binaries: readonly Buffer[] = [
  Buffer.alloc(0),
  Buffer.of(0),
  Buffer.of(0, 0),
  Buffer.of(255, 255),
  Buffer.of(0, 1, 0x7b),
  Buffer.alloc(1_000),
  Buffer.alloc(70_000, 0xff),
  header(send),
  header(send, 0),
  header(send, 1),
  header(send, send.length - 1),
  header(send, send.length + 1),
  header(send, 65_535),
  header(send, send.length, ''),
  header(asked, 0),
  header(asked, 60),
  header(asked, asked.length - 1),
  header(asked, asked.length + 1),
  header(asked, 65_535),
  header('{"jsonrpc":"2.0","method":"Producer.send","params":["nobody/1"]}'),
  header('{"jsonrpc":"2.0","id":1,"result":{"$":"payload"}}'),
  header('[]'),
  header('{"jsonrpc":"2.0","method":"tier.hello","params":[{"$":"payload"}]}'),
  header('{"jsonrpc":"2.0","method":"tier.ack","params":[{"$":"payload"}]}'),
  header('{"jsonrpc":"2.0","method":"\u00e9","params":[{"$":"payload"}]}')
]
