// Which calls programs are made of, how often, and with which arguments.

import fc from 'fast-check'
import {
  type Args,
  all,
  appData,
  args,
  bool,
  bytes,
  creating,
  dtlsParameters,
  idOf,
  listenInfo,
  listenInfos,
  listenIp,
  message,
  none,
  number,
  of,
  ownId,
  pipeOptions,
  ref,
  rtpCapabilities,
  sctpOptions,
  sctpStreamParameters,
  some,
  srtpParameters,
  subchannels,
  traceTypes
} from './arguments.ts'
import { mediaCodecs, produceOptions, rtpPacket } from './media.ts'
import type { Group } from './program.ts'

export interface Call {
  on: Group
  member: string
  weight: number
  args: Args
}

const call = (on: Group, member: string, weight: number, args: Args = none): Call => ({
  on,
  member,
  weight,
  args
})

// Few that end a Worker: it is expensive.
const worker = [
  call('Worker', 'close', 1),
  call('Worker', 'kill', 1),
  call('Worker', 'dump', 3),
  call('Worker', 'getResourceUsage', 1),
  call(
    'Worker',
    'updateSettings',
    2,
    args(
      some(
        {},
        { logLevel: of('error', 'none', 'chicken'), logTags: of([], ['ice', 'dtls'], ['chicken']) }
      )
    )
  ),
  call('Worker', 'createRouter', 8, args(creating({}, { mediaCodecs }))),
  call('Worker', 'createWebRtcServer', 6, args(creating({ listenInfos }))),
  call('WebRtcServer', 'dump', 3)
]

const webRtc = { enableUdp: bool, enableTcp: bool, preferUdp: bool, preferTcp: bool }

const router = [
  call('Router', 'dump', 5),
  call(
    'Router',
    'createWebRtcTransport',
    8,
    args(
      creating(
        { listenInfos },
        {
          ...webRtc,
          ...sctpOptions,
          initialAvailableOutgoingBitrate: of(1_000_000),
          iceConsentTimeout: of(20)
        }
      )
    )
  ),
  call(
    'Router',
    'createWebRtcTransport',
    10,
    args(creating({ webRtcServer: ref('WebRtcServer', { near: 'Worker' }) }, { enableTcp: bool }))
  ),
  call(
    'Router',
    'createWebRtcTransport',
    2,
    args(creating({ listenIps: fc.array(listenIp, { minLength: 1, maxLength: 2 }) }, webRtc))
  ),
  call(
    'Router',
    'createPlainTransport',
    8,
    args(
      creating(
        { listenInfo },
        {
          ...sctpOptions,
          rtcpMux: bool,
          comedia: bool,
          enableSrtp: bool,
          rtcpListenInfo: listenInfo
        }
      )
    )
  ),
  call('Router', 'createPlainTransport', 2, args(creating({ listenIp }, { rtcpMux: bool }))),
  call(
    'Router',
    'createPipeTransport',
    6,
    args(creating({ listenInfo }, { ...sctpOptions, enableRtx: bool, enableSrtp: bool }))
  ),
  call(
    'Router',
    'createDirectTransport',
    6,
    fc.oneof(none, args(creating({}, { maxSendMessageSize: of(2048) })))
  ),
  // Seldom enough for no timer to fire during a program.
  call('Router', 'createActiveSpeakerObserver', 4, args(creating({ interval: of(5000) }))),
  call(
    'Router',
    'createAudioLevelObserver',
    4,
    args(creating({ interval: of(5000) }, { maxEntries: number, threshold: of(-70, -128, 1) }))
  ),
  call(
    'Router',
    'pipeToRouter',
    14,
    args(
      creating(
        { producerId: idOf('Producer'), router: ref('Router'), ...pipeOptions },
        { keepId: bool, enableSctp: bool, listenInfo }
      )
    )
  ),
  call(
    'Router',
    'pipeToRouter',
    8,
    args(
      creating(
        { dataProducerId: idOf('DataProducer'), router: ref('Router'), ...pipeOptions },
        { keepId: bool }
      )
    )
  ),
  call('Router', 'canConsume', 6, args(all({ producerId: idOf('Producer'), rtpCapabilities }))),
  call('Router', 'updateMediaCodecs', 4, args(mediaCodecs))
]

const REMOTE = { ip: of('127.0.0.1'), port: of(9) }

const transport = [
  call('WebRtcTransport', 'connect', 8, args(all({ dtlsParameters }))),
  call('WebRtcTransport', 'restartIce', 4),
  call('PlainTransport', 'connect', 6, args(some(REMOTE, { rtcpPort: of(9), srtpParameters }))),
  call('PipeTransport', 'connect', 4, args(some(REMOTE, { srtpParameters }))),
  call('DirectTransport', 'connect', 1),
  call('DirectTransport', 'sendRtcp', 2, args(bytes)),
  call('Transport', 'dump', 8),
  call('Transport', 'getStats', 6),
  ...['setMaxIncomingBitrate', 'setMaxOutgoingBitrate', 'setMinOutgoingBitrate'].map(member =>
    call('Transport', member, 3, args(of(0, 100_000, 500_000)))
  ),
  call('Transport', 'enableTraceEvent', 3, fc.oneof(none, args(traceTypes))),
  call(
    'Transport',
    'produce',
    26,
    args(
      fc
        .tuple(
          produceOptions,
          creating({}, { paused: bool, id: ownId, keyFrameRequestDelay: number })
        )
        .map(([media, options]) => ({ ...(media as object), ...(options as object) }))
    )
  ),
  call(
    'Transport',
    'consume',
    34,
    args(
      creating(
        { producerId: idOf('Producer'), rtpCapabilities },
        {
          paused: bool,
          mid: of('m1', 'm2', ''),
          preferredLayers: all({ spatialLayer: number, temporalLayer: number }),
          ignoreDtx: bool,
          enableRtx: bool,
          pipe: bool
        }
      )
    )
  ),
  call(
    'Transport',
    'produceData',
    14,
    args(
      creating(
        {},
        { sctpStreamParameters, label: of('chat'), protocol: of('json'), paused: bool, id: ownId }
      )
    )
  ),
  call(
    'Transport',
    'consumeData',
    18,
    args(
      creating(
        { dataProducerId: idOf('DataProducer') },
        {
          ordered: bool,
          maxRetransmits: number,
          maxPacketLifeTime: number,
          paused: bool,
          subchannels
        }
      )
    )
  )
]

const streams = [
  ...(['Producer', 'Consumer', 'DataProducer', 'DataConsumer'] as const).flatMap(on => [
    call(on, 'pause', 10),
    call(on, 'resume', 8),
    call(on, 'dump', 5),
    call(on, 'getStats', 4)
  ]),
  ...(['Producer', 'Consumer'] as const).map(on =>
    call(on, 'enableTraceEvent', 4, fc.oneof(none, args(traceTypes)))
  ),
  call('Producer', 'send', 6, args(rtpPacket)),
  call(
    'Consumer',
    'setPreferredLayers',
    8,
    args(some({ spatialLayer: number }, { temporalLayer: number }))
  ),
  call('Consumer', 'setPriority', 6, args(of(1, 2, 255, 256, -1, 1.5))),
  call('Consumer', 'unsetPriority', 3),
  call('Consumer', 'requestKeyFrame', 4),
  call(
    'DataProducer',
    'send',
    10,
    fc.oneof(
      args(message),
      args(message, of(51, 53, 56, 57)),
      args(message, of(undefined), subchannels, of(1, 2))
    )
  ),
  call('DataConsumer', 'send', 5, fc.oneof(args(message), args(message, of(51, 53)))),
  call('DataConsumer', 'setBufferedAmountLowThreshold', 3, args(of(0, 1024))),
  call('DataConsumer', 'getBufferedAmount', 3),
  call('DataConsumer', 'setSubchannels', 4, args(subchannels)),
  call('DataConsumer', 'addSubchannel', 3, args(number)),
  call('DataConsumer', 'removeSubchannel', 3, args(number))
]

const observers = [
  call('RtpObserver', 'addProducer', 8, args(all({ producerId: idOf('Producer') }))),
  call('RtpObserver', 'removeProducer', 5, args(all({ producerId: idOf('Producer') }))),
  call('RtpObserver', 'pause', 3),
  call('RtpObserver', 'resume', 3)
]

const closes = Object.entries({
  Router: 3,
  WebRtcServer: 3,
  Transport: 8,
  Producer: 8,
  Consumer: 6,
  DataProducer: 5,
  DataConsumer: 4,
  RtpObserver: 3
}).map(([on, weight]) => call(on as Group, 'close', weight))

const assignments = (
  ['Worker', 'Router', 'Transport', 'Producer', 'Consumer', 'DataProducer'] as const
).map(on => call(on, '=appData', 2, args(appData)))

export const calls: readonly Call[] = [
  ...worker,
  ...router,
  ...transport,
  ...streams,
  ...observers,
  ...closes,
  ...assignments
]
