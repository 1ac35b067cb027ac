// An entry of a survey in words, for `mafalda tree` and `mafalda top`.

import type { SurveyEntry, SurveyedTier, Traffic } from '../lib/survey.ts'
import { bitrate, counted, mebibytes, printable } from './printable.ts'

/** How it is called: what an operator knows it by. */
export function nameOf(entry: SurveyEntry): string {
  switch (entry.kind) {
    case 'tier':
      return printable(entry.name ?? entry.id)
    case 'session':
      return printable(entry.subject || entry.id.slice(entry.id.lastIndexOf('/') + 1))
    case 'rest':
      return `${entry.count} more`
    default:
      return printable(entry.id)
  }
}

/** What it uses: cores, a part of one, or the quality of what it is. */
export function useOf(entry: SurveyEntry): string {
  switch (entry.kind) {
    case 'tier':
      return `${round(entry.load.used)}/${entry.load.capacity}`
    case 'Worker':
      return entry.cpu === undefined ? '' : `${Math.round(entry.cpu * 100)} %`
    case 'Producer':
    case 'Consumer':
      return entry.score === undefined ? '' : `${entry.score}/10`
    default:
      return ''
  }
}

/** All else that is to be known of it, the most important first. */
export function stateOf(entry: SurveyEntry): string {
  return factsOf(entry)
    .filter(fact => fact)
    .map(fact => printable(String(fact)))
    .join(', ')
}

type Fact = string | false | undefined

function factsOf(entry: SurveyEntry): Fact[] {
  switch (entry.kind) {
    case 'tier':
      return ofTier(entry)
    case 'session':
      return [entry.lost && 'lost', entry.address, counted(entry.objects, 'object')]
    case 'Worker':
      return [
        entry.died && 'died',
        `pid ${entry.pid}`,
        entry.memory !== undefined && mebibytes(entry.memory),
        counted(entry.sessions.length, 'session')
      ]
    case 'Router':
      return [
        counted(entry.transports, 'transport'),
        counted(entry.producers, 'Producer'),
        counted(entry.consumers, 'Consumer')
      ]
    case 'Producer':
      return [entry.paused && 'paused', entry.codec, entry.type, lossOf(entry)]
    case 'Consumer':
      return [
        (entry.paused || entry.producerPaused) && 'paused',
        entry.codec,
        entry.type,
        entry.layers && `layers ${entry.layers.spatialLayer}/${entry.layers.temporalLayer ?? 0}`,
        lossOf(entry),
        entry.keyFrameRequests
          ? counted(entry.keyFrameRequests, 'key frame asked', 'key frames asked')
          : false
      ]
    case 'DataProducer':
    case 'DataConsumer':
      return [entry.paused && 'paused', entry.label, entry.type]
    case 'AudioLevelObserver':
    case 'ActiveSpeakerObserver':
      return [entry.paused && 'paused']
    case 'rest':
      return [lossOf(entry)]
    default:
      return [
        entry.iceState && `ICE ${entry.iceState}`,
        entry.dtlsState && `DTLS ${entry.dtlsState}`,
        entry.peer && `to ${entry.peer}`,
        entry.remote
      ]
  }
}

function ofTier({ problem, draining, tier, load, ...entry }: SurveyedTier): Fact[] {
  const { memory, eventLoopDelay } = entry
  if (problem !== undefined) return [problem]
  return [
    draining && 'drains',
    tier,
    `${load.workers + load.draining} Workers`,
    `${load.routers} Routers`,
    `${load.consumers} Consumers`,
    memory !== undefined && mebibytes(memory),
    eventLoopDelay ? `${eventLoopDelay} ms late` : false
  ]
}

const lossOf = ({ packetsLost }: Partial<Traffic>) =>
  packetsLost ? counted(packetsLost, 'packet lost', 'packets lost') : false

export const trafficOf = (entry: SurveyEntry): [incoming: string, outgoing: string] => {
  const { bitrateIn, bitrateOut } = entry as Partial<Traffic>
  return [bitrate(bitrateIn), bitrate(bitrateOut)]
}

const round = (value: number) => Math.round(value * 10) / 10
