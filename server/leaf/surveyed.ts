// How the objects of a leaf are told in a survey: what mediasoup has of each at the moment, free of
// calls. No keys, no passwords, and nothing that its application has put there for itself.

import type * as ms from 'mediasoup/types'
import type {
  SurveyedConsumer,
  SurveyedData,
  SurveyedObserver,
  SurveyedProducer,
  SurveyedTransport,
  Traffic
} from '../../lib/survey.ts'
import type { ServedObject } from './served-object.ts'

/** What the worker was asked for. */
export interface Sampled extends Traffic {
  keyFrameRequests?: number
}

type Told =
  | SurveyedTransport
  | SurveyedProducer
  | SurveyedConsumer
  | SurveyedData
  | SurveyedObserver

// What names something is as long as its application likes.
const MAX_LABEL = 100

/** A transport, or something below it; undefined for what is not told. */
export function surveyed(
  { kind, handle, object, parent }: ServedObject,
  sampled: Sampled | undefined
): Told | undefined {
  const entry = { id: handle, of: parent!.handle }
  switch (kind) {
    case 'WebRtcTransport':
      return { ...entry, kind, ...webRtcStates(as(object)), ...sampled }
    case 'PlainTransport':
    case 'PipeTransport':
      return { ...entry, kind, ...tupleStates(as(object)), ...sampled }
    case 'DirectTransport':
      return { ...entry, kind, ...sampled }
    case 'Producer':
      return { ...entry, kind, ...ofProducer(as(object)), ...sampled }
    case 'Consumer':
      return { ...entry, kind, ...ofConsumer(as(object)), ...sampled }
    case 'DataProducer':
      return { ...entry, kind, ...ofData(as<ms.DataProducer>(object)) }
    case 'DataConsumer': {
      const { dataProducerId } = as<ms.DataConsumer>(object)
      return { ...entry, kind, ...ofData(as<ms.DataConsumer>(object)), dataProducerId }
    }
    case 'AudioLevelObserver':
    case 'ActiveSpeakerObserver':
      return { ...entry, kind, paused: as<ms.RtpObserver>(object).paused }
    default:
      return undefined
  }
}

/** The kind says which class of mediasoup it is. */
const as = <T>(object: unknown) => object as T

const webRtcStates = ({
  iceState,
  dtlsState,
  sctpState,
  iceSelectedTuple
}: ms.WebRtcTransport) => ({
  iceState,
  dtlsState,
  sctpState,
  ...endsOf(iceSelectedTuple)
})

const tupleStates = ({ tuple, sctpState }: ms.PlainTransport | ms.PipeTransport) => ({
  sctpState,
  ...endsOf(tuple)
})

const endsOf = (tuple?: ms.TransportTuple) => ({
  local: tuple && endOf(tuple.localAddress, tuple.localPort),
  remote: tuple?.remoteIp && endOf(tuple.remoteIp, tuple.remotePort!)
})

const endOf = (ip: string, port: number) => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`)

const ofProducer = ({ kind: media, rtpParameters, type, paused, score }: ms.Producer) => ({
  media,
  codec: codecOf(rtpParameters),
  type,
  paused,
  score: score.length ? Math.min(...score.map(({ score }) => score)) : undefined
})

function ofConsumer(consumer: ms.Consumer) {
  const { kind: media, rtpParameters, type, producerId, paused, producerPaused } = consumer
  const { score, currentLayers: layers } = consumer
  return {
    media,
    codec: codecOf(rtpParameters),
    type,
    producerId,
    paused,
    producerPaused,
    score: score.score,
    layers
  }
}

const codecOf = ({ codecs }: ms.RtpParameters) => codecs[0]!.mimeType

const ofData = ({ label, type, paused }: ms.DataProducer | ms.DataConsumer) => ({
  label: label.slice(0, MAX_LABEL),
  type,
  paused
})
