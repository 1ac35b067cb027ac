// The mediasoup object model, described once. The server's dispatch (and so what may be called at
// all), the client's classes, the OpenRPC document and the drift check are derived from this table.

import type { EventEmitter } from 'node:events'
import type * as ms from 'mediasoup/types'

/**
 * The kinds, each with its interface, its events and its observer's events: mediasoup itself (what
 * `import * as mediasoup` gives, beside `errors`, `ortc` and `extras`), and its objects.
 */
interface Objects {
  mediasoup: [ms.Index, unknown, ms.ObserverEvents]
  Worker: [ms.Worker, ms.WorkerEvents, ms.WorkerObserverEvents]
  Router: [ms.Router, ms.RouterEvents, ms.RouterObserverEvents]
  WebRtcServer: [ms.WebRtcServer, ms.WebRtcServerEvents, ms.WebRtcServerObserverEvents]
  WebRtcTransport: [ms.WebRtcTransport, ms.WebRtcTransportEvents, ms.WebRtcTransportObserverEvents]
  PlainTransport: [ms.PlainTransport, ms.PlainTransportEvents, ms.PlainTransportObserverEvents]
  PipeTransport: [ms.PipeTransport, ms.PipeTransportEvents, ms.PipeTransportObserverEvents]
  DirectTransport: [ms.DirectTransport, ms.DirectTransportEvents, ms.DirectTransportObserverEvents]
  Producer: [ms.Producer, ms.ProducerEvents, ms.ProducerObserverEvents]
  Consumer: [ms.Consumer, ms.ConsumerEvents, ms.ConsumerObserverEvents]
  DataProducer: [ms.DataProducer, ms.DataProducerEvents, ms.DataProducerObserverEvents]
  DataConsumer: [ms.DataConsumer, ms.DataConsumerEvents, ms.DataConsumerObserverEvents]
  ActiveSpeakerObserver: [
    ms.ActiveSpeakerObserver,
    ms.ActiveSpeakerObserverEvents,
    ms.ActiveSpeakerObserverObserverEvents
  ]
  AudioLevelObserver: [
    ms.AudioLevelObserver,
    ms.AudioLevelObserverEvents,
    ms.AudioLevelObserverObserverEvents
  ]
}

export type Kind = keyof Objects

/** The interface of a kind, mediasoup's own. */
type Interface<K extends Kind> = Objects[K][0]

/**
 * How a member crosses the wire.
 *
 * - fixed:  a property that never changes; sent once, when the object is announced
 * - live:   a property that changes; sent again with the next message about the object
 * - query:  a method answered by the peer, which changes nothing
 * - call:   a method answered by the peer, which does something: live members may change
 * - create: a call whose result is a new object
 * - cast:   a method the caller does not wait for
 * - media:  a cast of RTP or RTCP, dropped rather than queued when the peer is slow
 * - local:  a method answered on the spot, without the peer
 * - hidden: not part of the public API
 */
type MemberRole<V> = V extends (...args: never[]) => Promise<infer R>
  ? R extends { observer: unknown }
    ? 'create'
    : 'query' | 'call'
  : V extends (...args: never[]) => unknown
    ? 'cast' | 'media' | 'local' | 'hidden'
    : 'fixed' | 'live' | 'hidden'

/**
 * Who emits an event, and whether it crosses the wire.
 *
 * - self, observer, both: the object, its observer, or one after the other with the same arguments
 * - media: the object; dropped rather than queued when the peer is slow
 * - new:   the observer, when a child is announced; the announcement is what crosses the wire
 * - end:   the object, which is closed by it
 * - local: emitted by the client's own cascade when a parent closes; never crosses the wire
 */
type EventRole<N, E, O> = N extends keyof E & keyof O
  ? 'self' | 'both' | 'media' | 'local'
  : N extends keyof E
    ? 'self' | 'media' | 'end' | 'local'
    : 'observer' | 'new' | 'local'

// What every object has needs no row of its own: it is written by hand in client/entity.ts.
type Common = keyof EventEmitter | 'safeEmit' | 'observer' | 'appData' | 'closed' | 'close'
type Internal = `@${string}` | 'listenererror' | 'close'

type Members<T> = { [N in Exclude<keyof T, Common>]: MemberRole<T[N]> }
type Events<E, O> = { [N in Exclude<keyof E | keyof O, Internal>]: EventRole<N, E, O> }
type Spec<K extends Kind> = {
  members: Members<Objects[K][0]>
  events: Events<Objects[K][1], Objects[K][2]>
}

// A spread hides surplus members from the type checker, so each fragment is checked by itself.
const transport = {
  id: 'fixed',
  type: 'fixed',
  dump: 'query',
  getStats: 'query',
  connect: 'call',
  setMaxIncomingBitrate: 'call',
  setMaxOutgoingBitrate: 'call',
  setMinOutgoingBitrate: 'call',
  produce: 'create',
  consume: 'create',
  produceData: 'create',
  consumeData: 'create',
  enableTraceEvent: 'call',
  routerClosed: 'hidden',
  listenServerClosed: 'hidden'
} as const satisfies Members<ms.Transport>

// The order of the `new` events is the order in which a closing parent closes its children.
const transportEvents = {
  routerclose: 'local',
  listenserverclose: 'local',
  trace: 'both',
  newproducer: 'new',
  newconsumer: 'new',
  newdataproducer: 'new',
  newdataconsumer: 'new'
} as const satisfies Events<ms.TransportEvents, ms.TransportObserverEvents>

const rtpObserver = {
  id: 'fixed',
  type: 'fixed',
  paused: 'live',
  pause: 'call',
  resume: 'call',
  addProducer: 'call',
  removeProducer: 'call',
  routerClosed: 'hidden'
} as const satisfies Members<ms.RtpObserver>

const rtpObserverEvents = {
  routerclose: 'local',
  pause: 'observer',
  resume: 'observer',
  addproducer: 'observer',
  removeproducer: 'observer'
} as const satisfies Events<ms.RtpObserverEvents, ms.RtpObserverObserverEvents>

const sctp = {
  sctpParameters: 'fixed',
  sctpState: 'live',
  sctpNegotiatedCapabilities: 'live'
} as const satisfies Partial<Members<ms.WebRtcTransport | ms.PlainTransport | ms.PipeTransport>>

export const model = {
  mediasoup: {
    members: {
      version: 'fixed',
      workerBin: 'fixed',
      createWorker: 'create',
      setLogEventListeners: 'local',
      getSupportedRtpCapabilities: 'local',
      parseScalabilityMode: 'local'
    },
    events: { newworker: 'new' }
  },

  Worker: {
    members: {
      pid: 'fixed',
      died: 'live',
      subprocessClosed: 'live',
      dump: 'query',
      getResourceUsage: 'query',
      updateSettings: 'call',
      createWebRtcServer: 'create',
      createRouter: 'create'
    },
    events: {
      died: 'end',
      subprocessclose: 'self',
      newrouter: 'new',
      newwebrtcserver: 'new'
    }
  },

  WebRtcServer: {
    members: {
      id: 'fixed',
      dump: 'query',
      workerClosed: 'hidden',
      handleWebRtcTransport: 'hidden'
    },
    events: {
      workerclose: 'local',
      webrtctransporthandled: 'observer',
      webrtctransportunhandled: 'local'
    }
  },

  Router: {
    members: {
      id: 'fixed',
      rtpCapabilities: 'live',
      dump: 'query',
      createWebRtcTransport: 'create',
      createPlainTransport: 'create',
      createPipeTransport: 'create',
      createDirectTransport: 'create',
      createActiveSpeakerObserver: 'create',
      createAudioLevelObserver: 'create',
      pipeToRouter: 'call',
      canConsume: 'local',
      updateMediaCodecs: 'cast',
      workerClosed: 'hidden'
    },
    events: {
      workerclose: 'local',
      newtransport: 'new',
      newrtpobserver: 'new'
    }
  },

  WebRtcTransport: {
    members: {
      ...transport,
      ...sctp,
      iceRole: 'fixed',
      iceParameters: 'live',
      iceCandidates: 'fixed',
      iceState: 'live',
      iceSelectedTuple: 'live',
      dtlsParameters: 'live',
      dtlsState: 'live',
      dtlsRemoteCert: 'live',
      restartIce: 'call'
    },
    events: {
      ...transportEvents,
      icestatechange: 'both',
      iceselectedtuplechange: 'both',
      dtlsstatechange: 'both',
      sctpstatechange: 'both'
    }
  },

  PlainTransport: {
    members: {
      ...transport,
      ...sctp,
      tuple: 'live',
      rtcpTuple: 'live',
      srtpParameters: 'live'
    },
    events: {
      ...transportEvents,
      tuple: 'both',
      rtcptuple: 'both',
      sctpstatechange: 'both'
    }
  },

  PipeTransport: {
    members: {
      ...transport,
      ...sctp,
      tuple: 'live',
      srtpParameters: 'live'
    },
    events: { ...transportEvents, sctpstatechange: 'both' }
  },

  DirectTransport: {
    members: { ...transport, sendRtcp: 'media' },
    // The observer never emits 'rtcp', whatever its type says.
    events: { ...transportEvents, rtcp: 'media' }
  },

  Producer: {
    members: {
      id: 'fixed',
      kind: 'fixed',
      type: 'fixed',
      rtpParameters: 'fixed',
      consumableRtpParameters: 'fixed',
      paused: 'live',
      score: 'live',
      dump: 'query',
      getStats: 'query',
      pause: 'call',
      resume: 'call',
      enableTraceEvent: 'call',
      send: 'media',
      transportClosed: 'hidden'
    },
    events: {
      transportclose: 'local',
      pause: 'observer',
      resume: 'observer',
      score: 'both',
      videoorientationchange: 'both',
      trace: 'both'
    }
  },

  Consumer: {
    members: {
      id: 'fixed',
      producerId: 'fixed',
      kind: 'fixed',
      type: 'fixed',
      rtpParameters: 'fixed',
      paused: 'live',
      producerPaused: 'live',
      priority: 'live',
      score: 'live',
      preferredLayers: 'live',
      currentLayers: 'live',
      dump: 'query',
      getStats: 'query',
      pause: 'call',
      resume: 'call',
      setPreferredLayers: 'call',
      setPriority: 'call',
      unsetPriority: 'call',
      requestKeyFrame: 'call',
      enableTraceEvent: 'call',
      transportClosed: 'hidden'
    },
    events: {
      transportclose: 'local',
      producerclose: 'end',
      producerpause: 'self',
      producerresume: 'self',
      pause: 'observer',
      resume: 'observer',
      score: 'both',
      layerschange: 'both',
      trace: 'both',
      rtp: 'media'
    }
  },

  DataProducer: {
    members: {
      id: 'fixed',
      type: 'fixed',
      sctpStreamParameters: 'fixed',
      label: 'fixed',
      protocol: 'fixed',
      paused: 'live',
      dump: 'query',
      getStats: 'query',
      pause: 'call',
      resume: 'call',
      send: 'cast',
      transportClosed: 'hidden'
    },
    events: { transportclose: 'local', pause: 'observer', resume: 'observer' }
  },

  DataConsumer: {
    members: {
      id: 'fixed',
      dataProducerId: 'fixed',
      type: 'fixed',
      sctpStreamParameters: 'fixed',
      label: 'fixed',
      protocol: 'fixed',
      paused: 'live',
      dataProducerPaused: 'live',
      subchannels: 'live',
      dump: 'query',
      getStats: 'query',
      pause: 'call',
      resume: 'call',
      setBufferedAmountLowThreshold: 'call',
      getBufferedAmount: 'query',
      send: 'call',
      setSubchannels: 'call',
      addSubchannel: 'call',
      removeSubchannel: 'call',
      transportClosed: 'hidden'
    },
    events: {
      transportclose: 'local',
      dataproducerclose: 'end',
      dataproducerpause: 'self',
      dataproducerresume: 'self',
      message: 'self',
      sctpsendbufferfull: 'self',
      bufferedamountlow: 'self',
      pause: 'observer',
      resume: 'observer'
    }
  },

  AudioLevelObserver: {
    members: rtpObserver,
    events: { ...rtpObserverEvents, volumes: 'both', silence: 'both' }
  },

  ActiveSpeakerObserver: {
    members: rtpObserver,
    events: { ...rtpObserverEvents, dominantspeaker: 'both' }
  }
} as const satisfies { [K in Kind]: Spec<K> }

type Creating<K extends Kind> = {
  [N in keyof (typeof model)[K]['members']]: (typeof model)[K]['members'][N] extends 'create'
    ? N
    : never
}[keyof (typeof model)[K]['members']]
type CreatedBy<K extends Kind, N> = N extends keyof Interface<K>
  ? Interface<K>[N] extends (...args: never[]) => Promise<infer R>
    ? R
    : never
  : never
type KindOf<R> = { [K in Exclude<Kind, 'mediasoup'>]: Interface<K> extends R ? K : never }[Exclude<
  Kind,
  'mediasoup'
>]

/** The kind of what each member with the role `create` makes. */
export const creates = {
  createWorker: 'Worker',
  createWebRtcServer: 'WebRtcServer',
  createRouter: 'Router',
  createWebRtcTransport: 'WebRtcTransport',
  createPlainTransport: 'PlainTransport',
  createPipeTransport: 'PipeTransport',
  createDirectTransport: 'DirectTransport',
  createActiveSpeakerObserver: 'ActiveSpeakerObserver',
  createAudioLevelObserver: 'AudioLevelObserver',
  produce: 'Producer',
  consume: 'Consumer',
  produceData: 'DataProducer',
  consumeData: 'DataConsumer'
} as const satisfies {
  [N in { [K in Kind]: Creating<K> }[Kind]]: { [K in Kind]: KindOf<CreatedBy<K, N>> }[Kind]
}
