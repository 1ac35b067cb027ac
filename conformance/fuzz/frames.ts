// Frames from a seed and the objects of the session: valid calls, spoilt ones, and junk.

import type { Frame } from '../../lib/tier.ts'
import { SURVEY_DETAILS } from '../../lib/survey.ts'
import { methods } from '../../lib/methods.ts'
import { encodeNotification, encodeRequest, type Id } from '../../lib/wire.ts'
import type { Call, Calls } from './calls.ts'
import { binaries, hostileHandle, texts } from './hostile.ts'
import type { SessionView } from './session-view.ts'
import { MARK, garble, spoil, unmark } from './mutate.ts'
import type { Random } from './random.ts'

type Maker = (random: Random, known: SessionView, calls: Calls) => Frame[]

const names = [...methods.keys()]
const tierMethods = [
  'tier.hello',
  'tier.load',
  'tier.log',
  'tier.locate',
  'tier.pipeListenInfo',
  'tier.allowPeer',
  'tier.open',
  'tier.sessions',
  'tier.kick',
  'tier.survey',
  'tier.fly',
  'rpc.discover',
  'rpc.call'
]
const notMethods = [
  '',
  '.',
  'Worker',
  'Worker.',
  '.close',
  '__proto__',
  '__proto__.x',
  'Worker.constructor',
  'Worker.emit',
  'Router.workerClosed',
  'Producer.close.close',
  'mediasoup.close',
  'é.é',
  '\u{1f600}'
]

/** Mostly numbers, as most clients have them. */
function newId(random: Random, known: SessionView): Id {
  const serial = known.nextSerial()
  if (!random.oneIn(20)) return random.oneIn(4) ? `f${serial}` : serial
  return random.pick<Id>([
    -serial,
    serial + 0.5,
    serial * 1e18,
    1e21 * serial,
    `"${serial}\\`,
    `é${serial}`,
    `\u{1f600}${serial}`,
    `\u0000${serial}`,
    `${serial}\ud800`,
    `${'x'.repeat(1_000)}${serial}`
  ])
}

const encoded = (random: Random, known: SessionView, { method, params, answered }: Call): Frame =>
  (answered ? random.oneIn(30) : !random.oneIn(4))
    ? encodeNotification(method, params)
    : encodeRequest(newId(random, known), method, params)

const valid: Maker = (random, known, calls) => [encoded(random, known, calls.next(random, known))]

/** Any method on any object, with any arguments: Workers are processes, so few of these. */
const junk: Maker = (random, known) => {
  const method = random.pick(random.oneIn(10) ? notMethods : names)
  if (method === 'mediasoup.createWorker' && !random.oneIn(20)) return []
  const marks = Array.from({ length: random.below(4) }, () => MARK)
  const params = method.startsWith('mediasoup.') ? marks : [hostileHandle(random, known), ...marks]
  return [
    unmark(
      encoded(random, known, { method, params, answered: !random.oneIn(4) }) as string,
      random,
      known
    )
  ]
}

/** Methods of the tier. */
const tier: Maker = (random, known) => {
  const method = random.pick(tierMethods)
  const params = random.oneIn(3)
    ? [MARK]
    : method === 'tier.log'
      ? [random.shuffle(['warn', 'error', 'chicken']).slice(random.below(4))]
      : method === 'tier.survey'
        ? [{ detail: random.pick(SURVEY_DETAILS), under: known.objects[0]?.handle }]
        : [hostileHandle(random, known)]
  return [
    unmark(
      encoded(random, known, {
        method,
        params,
        answered: method === 'tier.log' ? random.oneIn(4) : true
      }) as string,
      random,
      known
    )
  ]
}

/** A call with one value replaced. */
const spoilt: Maker = (random, known, calls) => {
  const call = calls.next(random, known)
  if (call.params.some(Buffer.isBuffer) || call.method === 'mediasoup.createWorker')
    return [encoded(random, known, call)]
  const params = spoil(call.params, random)
  if (Array.isArray(params))
    return [unmark(encoded(random, known, { ...call, params }) as string, random, known)]
  return [
    unmark(
      JSON.stringify({ jsonrpc: '2.0', id: newId(random, known), method: call.method, params }),
      random,
      known
    )
  ]
}

/** A frame with characters replaced or removed. */
const garbled: Maker = (random, known, calls) => [
  garble(encoded(random, known, calls.next(random, known)), random)
]

/** The same message, written in another way. */
const rewritten: Maker = (random, known, calls) => {
  const frame = encoded(random, known, calls.next(random, known))
  if (typeof frame !== 'string') return [frame]
  const message = JSON.parse(frame) as object
  return [
    random.pick([
      () => JSON.stringify(Object.fromEntries(random.shuffle(Object.entries(message)))),
      () => JSON.stringify(message, null, 1),
      () => frame.replaceAll('/', '\\/'),
      () =>
        frame.replace(
          /"method":"(.)/,
          (_, first: string) => `"method":"\\u00${first.charCodeAt(0).toString(16)}`
        ),
      () => ` ${frame}\n`,
      () => JSON.stringify({ ...message, more: 1 })
    ])()
  ]
}

/** A message whose header contradicts the rest of it. */
const contradicting: Maker = (random, known, calls) => {
  const frame = encoded(random, known, calls.next(random, known))
  if (typeof frame !== 'string' || frame.includes('mediasoup.createWorker')) return [frame]
  return [
    `${frame.slice(0, -1)},${random.pick(['"id":0', '"id":"x"', '"id":null', '"method":"rpc.discover"', '"params":[]', '"params":["nobody/1"]', '"jsonrpc":"1.0"', '"result":1'])}}`
  ]
}

/** The same request several times, its id in flight. */
const repeated: Maker = (random, known, calls) => {
  const frame = encoded(random, known, calls.next(random, known))
  return frame.includes('mediasoup.createWorker')
    ? [frame]
    : Array<Frame>(2 + random.below(3)).fill(frame)
}

/** Calls in an order that no application has. */
const disordered: Maker = (random, known, calls) =>
  random.shuffle(
    Array.from({ length: 2 + random.below(6) }, () => valid(random, known, calls)).flat()
  )

const weights: [weight: number, maker: Maker][] = [
  [30, valid],
  [20, junk],
  [20, spoilt],
  [10, garbled],
  [4, tier],
  [4, rewritten],
  [3, contradicting],
  [2, repeated],
  [3, disordered],
  [3, random => [random.pick(texts)]],
  [3, random => [random.pick(binaries)]]
]

const makers = weights.flatMap(([weight, maker]) => Array<Maker>(weight).fill(maker))

export const framesOf: Maker = (random, known, calls) => random.pick(makers)(random, known, calls)
