// Which calls programs are made of, how often, and with which arguments.

import fc from 'fast-check'
import { mediaCodecs, produceOptions, receivable, rtpPacket } from './media.ts'
import type { Bytes, Group, Ref, Template } from './program.ts'

type Arbitrary<T = Template> = fc.Arbitrary<T>
type Args = Arbitrary<Template[]>

export interface Call {
  on: Group
  member: string
  args: Args
  weight: number
}

const pick = fc.nat(30)
const closed = fc.nat(19).map(n => n === 19 || undefined)

export const ref = (group: Group, more: Partial<Ref> = {}): Arbitrary<Ref> =>
  fc.record({ pick, closed }).map(({ pick, closed }) => ({ ref: group, pick, ...(closed && { closed }), ...more }))

const rtpCapabilities: Arbitrary = fc.oneof(
  { weight: 5, arbitrary: fc.constant<Template>({ ref: 'Router', pick: 0, near: 'Router', get: 'rtpCapabilities' }) },
  { weight: 1, arbitrary: receivable }
)

const idOf = (group: Group): Arbitrary => fc.oneof({ weight: 6, arbitrary: ref(group, { near: 'Router', get: 'id' }) }, { weight: 1, arbitrary: ref(group, { get: 'id' }) })
const bool = fc.boolean()
const number = fc.nat(4)
const none: Args = fc.constant([])
const appData: Arbitrary = fc.constantFrom<Template>({ answer: 42 }, { nested: { list: [1, { two: 2 }] } }, {})
const bytes: Arbitrary<Bytes> = fc.constantFrom('', '00', 'cafe', '80c90001000003e9').map(bytes => ({ bytes }))
const message: Arbitrary = fc.oneof(fc.constantFrom('', 'hello', 'ünïcode'), bytes)

/** Options of which each may be left out. */
const options = (model: Record<string, Arbitrary>, required: Record<string, Arbitrary> = {}): Arbitrary =>
  fc.tuple(fc.record(required), fc.record({ appData, ...model }, { requiredKeys: [] })).map(([one, other]) => ({ ...one, ...other }))

const args = (...list: Arbitrary[]): Args => fc.tuple(...list)

const listenInfo: Arbitrary = fc.constantFrom<Template>({ protocol: 'udp', ip: '127.0.0.1' }, { protocol: 'udp', ip: '127.0.0.1' },
  { protocol: 'udp', ip: '0.0.0.0', announcedAddress: '9.9.9.1' }, { protocol: 'udp', ip: '127.0.0.1', announcedAddress: 'media.example.com', flags: { ipv6Only: false } }, { protocol: 'udp', ip: '4.4.4.4' })
const listenInfos = fc.array(fc.oneof({ weight: 4, arbitrary: listenInfo }, { weight: 1, arbitrary: fc.constant<Template>({ protocol: 'tcp', ip: '127.0.0.1' }) }), { minLength: 1, maxLength: 2 })
const listenIp = fc.constantFrom<Template>('127.0.0.1', { ip: '127.0.0.1', announcedIp: '9.9.9.2' })

const dtlsParameters: Arbitrary = fc.constantFrom('client', 'server', 'auto', 'chicken', undefined).map(role => ({
  role, fingerprints: [{ algorithm: 'sha-256', value: '82:5A:68:3D:36:C3:0A:DE:AF:E7:32:43:D2:88:83:57:AC:2D:65:E5:80:C4:B6:FB:AF:1A:A0:21:9F:6D:0C:AD' }]
}))
const srtpParameters: Arbitrary = fc.constantFrom<Template>({ cryptoSuite: 'AES_CM_128_HMAC_SHA1_80', keyBase64: 'ZnQ3eWJraDg0d3ZoYzM5cXN1Y2pnaHU5NWxrZTVv' },
  { cryptoSuite: 'AEAD_AES_256_GCM', keyBase64: 'YTdjcDBvY2JoMGY5YXNlNDc0eDJsdGgwaWRvNnJsamRrdG16aWVpZHphdHo=' })
const sctpStreamParameters: Arbitrary = fc.constantFrom<Template>({ streamId: 1, ordered: true }, { streamId: 2, ordered: false, maxRetransmits: 3 }, { streamId: 3, ordered: false, maxPacketLifeTime: 500 }, { streamId: 99999 })
const traceTypes: Arbitrary = fc.subarray(['rtp', 'keyframe', 'nack', 'pli', 'fir', 'probation', 'bwe', 'chicken']) as Arbitrary
const subchannels: Arbitrary = fc.subarray([1, 2, 3, 44]) as Arbitrary
const sctpOptions = { enableSctp: bool, maxSendMessageSize: fc.constantFrom(1024, 65536), maxReceiveMessageSize: fc.constantFrom(1024, 65536) }
// A Producer's id is its application's to choose, too.
const ownId = fc.constantFrom('p1', 'p2')

export const calls: readonly Call[] = [
  // Few: a Worker is expensive.
  { on: 'Worker', member: 'close', args: none, weight: 1 },
  { on: 'Worker', member: 'kill', args: none, weight: 1 },
  { on: 'Worker', member: 'dump', args: none, weight: 3 },
  { on: 'Worker', member: 'getResourceUsage', args: none, weight: 1 },
  { on: 'Worker', member: 'updateSettings', args: args(options({ logLevel: fc.constantFrom('error', 'none', 'chicken'), logTags: fc.subarray(['ice', 'dtls', 'chicken']) as Arbitrary })), weight: 2 },
  { on: 'Worker', member: 'createRouter', args: args(options({ mediaCodecs })), weight: 8 },
  { on: 'Worker', member: 'createWebRtcServer', args: args(options({}, { listenInfos })), weight: 6 },

  { on: 'WebRtcServer', member: 'dump', args: none, weight: 3 },

  { on: 'Router', member: 'dump', args: none, weight: 5 },
  { on: 'Router', member: 'createWebRtcTransport', args: args(options({ ...sctpOptions, enableUdp: bool, enableTcp: bool, preferUdp: bool, initialAvailableOutgoingBitrate: fc.constant(1_000_000), iceConsentTimeout: fc.constant(20) }, { listenInfos })), weight: 8 },
  { on: 'Router', member: 'createWebRtcTransport', args: args(options({ enableTcp: bool }, { webRtcServer: ref('WebRtcServer', { near: 'Worker' }) })), weight: 10 },
  { on: 'Router', member: 'createWebRtcTransport', args: args(options({ enableTcp: bool, preferTcp: bool, enableUdp: bool }, { listenIps: fc.array(listenIp, { minLength: 1, maxLength: 2 }) })), weight: 2 },
  { on: 'Router', member: 'createPlainTransport', args: args(options({ ...sctpOptions, rtcpMux: bool, comedia: bool, enableSrtp: bool, rtcpListenInfo: listenInfo }, { listenInfo })), weight: 8 },
  { on: 'Router', member: 'createPlainTransport', args: args(options({ rtcpMux: bool }, { listenIp })), weight: 2 },
  { on: 'Router', member: 'createPipeTransport', args: args(options({ ...sctpOptions, enableRtx: bool, enableSrtp: bool }, { listenInfo })), weight: 6 },
  { on: 'Router', member: 'createDirectTransport', args: fc.oneof(none, args(options({ maxSendMessageSize: fc.constant(2048) }))), weight: 6 },
  { on: 'Router', member: 'createActiveSpeakerObserver', args: args(options({}, { interval: fc.constant(5000) })), weight: 4 },
  { on: 'Router', member: 'createAudioLevelObserver', args: args(options({ maxEntries: number, threshold: fc.constantFrom(-70, -128, 1) }, { interval: fc.constant(5000) })), weight: 4 },
  { on: 'Router', member: 'pipeToRouter', args: args(options({ keepId: bool, enableSctp: bool, enableRtx: bool, enableSrtp: bool, listenInfo }, { producerId: idOf('Producer'), router: ref('Router') })), weight: 14 },
  { on: 'Router', member: 'pipeToRouter', args: args(options({ keepId: bool, enableRtx: bool }, { dataProducerId: idOf('DataProducer'), router: ref('Router') })), weight: 8 },
  { on: 'Router', member: 'canConsume', args: args(fc.record({ producerId: idOf('Producer'), rtpCapabilities }) as Arbitrary), weight: 6 },
  { on: 'Router', member: 'updateMediaCodecs', args: args(mediaCodecs), weight: 4 },

  { on: 'WebRtcTransport', member: 'connect', args: args(fc.record({ dtlsParameters }) as Arbitrary), weight: 8 },
  { on: 'WebRtcTransport', member: 'restartIce', args: none, weight: 4 },
  { on: 'PlainTransport', member: 'connect', args: args(fc.record({ ip: fc.constant('127.0.0.1'), port: fc.constant(9), rtcpPort: fc.constant(9), srtpParameters }, { requiredKeys: ['ip', 'port'] }) as Arbitrary), weight: 6 },
  { on: 'PipeTransport', member: 'connect', args: args(fc.record({ ip: fc.constant('127.0.0.1'), port: fc.constant(9), srtpParameters }, { requiredKeys: ['ip', 'port'] }) as Arbitrary), weight: 4 },
  { on: 'DirectTransport', member: 'connect', args: none, weight: 1 },
  { on: 'DirectTransport', member: 'sendRtcp', args: args(bytes), weight: 2 },
  { on: 'Transport', member: 'dump', args: none, weight: 8 },
  { on: 'Transport', member: 'getStats', args: none, weight: 6 },
  ...['setMaxIncomingBitrate', 'setMaxOutgoingBitrate', 'setMinOutgoingBitrate'].map(member => ({ on: 'Transport' as const, member, args: args(fc.constantFrom(0, 100_000, 500_000)), weight: 3 })),
  { on: 'Transport', member: 'enableTraceEvent', args: fc.oneof(none, args(traceTypes)), weight: 3 },
  { on: 'Transport', member: 'produce', args: args(fc.tuple(produceOptions, options({ paused: bool, id: ownId, keyFrameRequestDelay: number })).map(([one, other]) => ({ ...one as object, ...other as object }))), weight: 26 },
  { on: 'Transport', member: 'consume', args: args(options({ paused: bool, mid: fc.constantFrom('m1', 'm2', ''), preferredLayers: fc.record({ spatialLayer: number, temporalLayer: number }) as Arbitrary, ignoreDtx: bool, enableRtx: bool, pipe: bool }, { producerId: idOf('Producer'), rtpCapabilities })), weight: 34 },
  { on: 'Transport', member: 'produceData', args: args(options({ sctpStreamParameters, label: fc.constant('chat'), protocol: fc.constant('json'), paused: bool, id: ownId })), weight: 14 },
  { on: 'Transport', member: 'consumeData', args: args(options({ ordered: bool, maxRetransmits: number, maxPacketLifeTime: number, paused: bool, subchannels }, { dataProducerId: idOf('DataProducer') })), weight: 18 },

  { on: 'Producer', member: 'send', args: args(rtpPacket), weight: 6 },
  { on: 'Consumer', member: 'setPreferredLayers', args: args(fc.record({ spatialLayer: number, temporalLayer: number }, { requiredKeys: ['spatialLayer'] }) as Arbitrary), weight: 8 },
  { on: 'Consumer', member: 'setPriority', args: args(fc.constantFrom(1, 2, 255, 256, -1, 1.5)), weight: 6 },
  { on: 'Consumer', member: 'unsetPriority', args: none, weight: 3 },
  { on: 'Consumer', member: 'requestKeyFrame', args: none, weight: 4 },
  { on: 'DataProducer', member: 'send', args: fc.oneof(args(message), args(message, fc.constantFrom(51, 53, 56, 57)), args(message, fc.constant(undefined), subchannels, fc.constantFrom(1, 2))), weight: 10 },
  { on: 'DataConsumer', member: 'send', args: fc.oneof(args(message), args(message, fc.constantFrom(51, 53))), weight: 5 },
  { on: 'DataConsumer', member: 'setBufferedAmountLowThreshold', args: args(fc.constantFrom(0, 1024)), weight: 3 },
  { on: 'DataConsumer', member: 'getBufferedAmount', args: none, weight: 3 },
  { on: 'DataConsumer', member: 'setSubchannels', args: args(subchannels), weight: 4 },
  { on: 'DataConsumer', member: 'addSubchannel', args: args(number), weight: 3 },
  { on: 'DataConsumer', member: 'removeSubchannel', args: args(number), weight: 3 },
  ...(['Producer', 'Consumer', 'DataProducer', 'DataConsumer'] as const).flatMap(on => [
    { on, member: 'pause', args: none, weight: 10 },
    { on, member: 'resume', args: none, weight: 8 },
    { on, member: 'dump', args: none, weight: 5 },
    { on, member: 'getStats', args: none, weight: 4 }
  ]),
  ...(['Producer', 'Consumer'] as const).map(on => ({ on, member: 'enableTraceEvent', args: fc.oneof(none, args(traceTypes)), weight: 4 })),

  { on: 'RtpObserver', member: 'addProducer', args: args(fc.record({ producerId: idOf('Producer') }) as Arbitrary), weight: 8 },
  { on: 'RtpObserver', member: 'removeProducer', args: args(fc.record({ producerId: idOf('Producer') }) as Arbitrary), weight: 5 },
  { on: 'RtpObserver', member: 'pause', args: none, weight: 3 },
  { on: 'RtpObserver', member: 'resume', args: none, weight: 3 },

  ...Object.entries({ Router: 3, WebRtcServer: 3, Transport: 8, Producer: 8, Consumer: 6, DataProducer: 5, DataConsumer: 4, RtpObserver: 3 })
    .map(([on, weight]) => ({ on: on as Group, member: 'close', args: none, weight })),
  ...(['Worker', 'Router', 'Transport', 'Producer', 'Consumer', 'DataProducer'] as const).map(on => ({ on, member: '=appData', args: args(appData), weight: 2 }))
]
