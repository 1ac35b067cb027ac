// The arguments of calls.

import fc from 'fast-check'
import { receivable } from './media.ts'
import type { Bytes, Group, Ref, Template } from './program.ts'

export type Arbitrary<T = Template> = fc.Arbitrary<T>
export type Args = Arbitrary<Template[]>

const pick = fc.nat(30)
const closed = fc.nat(19).map(n => n === 19 || undefined)

export const ref = (group: Group, more: Partial<Ref> = {}): Arbitrary<Ref> =>
  fc
    .record({ pick, closed })
    .map(({ pick, closed }) => ({ ref: group, pick, ...(closed && { closed }), ...more }))

/** Mostly of an object nearby. */
export const idOf = (group: Group): Arbitrary =>
  fc.oneof(
    { weight: 6, arbitrary: ref(group, { near: 'Router', get: 'id' }) },
    { weight: 1, arbitrary: ref(group, { get: 'id' }) }
  )

export const args = (...list: Arbitrary[]): Args => fc.tuple(...list)
export const none: Args = fc.constant([])

/** Members that are all there. */
export const all = (model: Record<string, Arbitrary>): Arbitrary => fc.record(model)

/** Members that are there, then those that may be left out. */
export const some = (
  required: Record<string, Arbitrary>,
  optional: Record<string, Arbitrary>
): Arbitrary =>
  fc
    .tuple(fc.record(required), fc.record(optional, { requiredKeys: [] }))
    .map(([one, other]) => ({ ...one, ...other }))

/** The same for a call that creates an object. */
export const creating = (
  required: Record<string, Arbitrary>,
  optional: Record<string, Arbitrary> = {}
): Arbitrary => some(required, { appData, ...optional })

export const of = (...templates: Template[]): Arbitrary => fc.constantFrom(...templates)
export const bool: Arbitrary = fc.boolean()
export const number: Arbitrary = fc.nat(4)
export const appData = of({ answer: 42 }, { nested: { list: [1, { two: 2 }] } }, {})

export const bytes: Arbitrary<Bytes> = fc
  .constantFrom('', '00', 'cafe', '80c90001000003e9')
  .map(bytes => ({ bytes }))
export const message: Arbitrary = fc.oneof(of('', 'hello', 'ünïcode'), bytes)
export const traceTypes: Arbitrary = fc.subarray([
  'rtp',
  'keyframe',
  'nack',
  'pli',
  'fir',
  'chicken'
])
export const subchannels: Arbitrary = fc.subarray([1, 2, 3, 44])

export const rtpCapabilities: Arbitrary = fc.oneof(
  { weight: 5, arbitrary: of({ ref: 'Router', pick: 0, near: 'Router', get: 'rtpCapabilities' }) },
  { weight: 1, arbitrary: receivable }
)

const local = { protocol: 'udp', ip: '127.0.0.1' }

export const listenInfo = of(
  local,
  local,
  { protocol: 'udp', ip: '0.0.0.0', announcedAddress: '9.9.9.1' },
  { ...local, announcedAddress: 'media.example.com', flags: { ipv6Only: false } },
  { protocol: 'udp', ip: '4.4.4.4' }
)

export const listenInfos: Arbitrary = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: listenInfo },
    { weight: 1, arbitrary: of({ protocol: 'tcp', ip: '127.0.0.1' }) }
  ),
  { minLength: 1, maxLength: 2 }
)

export const listenIp = of('127.0.0.1', { ip: '127.0.0.1', announcedIp: '9.9.9.2' })

const FINGERPRINT =
  '82:5A:68:3D:36:C3:0A:DE:AF:E7:32:43:D2:88:83:57:AC:2D:65:E5:80:C4:B6:FB:AF:1A:A0:21:9F:6D:0C:AD'

export const dtlsParameters = of(
  ...['client', 'server', 'auto', 'chicken', undefined].map(role => ({
    role,
    fingerprints: [{ algorithm: 'sha-256', value: FINGERPRINT }]
  }))
)

export const srtpParameters = of(
  { cryptoSuite: 'AES_CM_128_HMAC_SHA1_80', keyBase64: 'ZnQ3eWJraDg0d3ZoYzM5cXN1Y2pnaHU5NWxrZTVv' },
  {
    cryptoSuite: 'AEAD_AES_256_GCM',
    keyBase64: 'YTdjcDBvY2JoMGY5YXNlNDc0eDJsdGgwaWRvNnJsamRrdG16aWVpZHphdHo='
  }
)

export const sctpStreamParameters = of(
  { streamId: 1, ordered: true },
  { streamId: 2, ordered: false, maxRetransmits: 3 },
  { streamId: 3, ordered: false, maxPacketLifeTime: 500 },
  { streamId: 99999 }
)

export const sctpOptions = {
  enableSctp: bool,
  maxSendMessageSize: of(1024, 65536),
  maxReceiveMessageSize: of(1024, 65536)
}

/** Always said, because between hosts both are on unless the application says otherwise. */
export const pipeOptions = { enableRtx: bool, enableSrtp: bool }

/** A Producer's id is its application's to choose, too. */
export const ownId = of('p1', 'p2')
