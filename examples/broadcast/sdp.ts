// SDP and mediasoup's parameters. mediasoup-client makes, in browsers, the SDP of the remote side out
// of what mediasoup says. Here the server does so, with the same functions.

import type * as ms from 'mediasoup/types'
import {
  extractDtlsParameters,
  extractRtpCapabilities,
  getCname
} from 'mediasoup-client/handlers/sdp/commonUtils'
import { RemoteSdp } from 'mediasoup-client/handlers/sdp/RemoteSdp'
import { getRtpEncodings } from 'mediasoup-client/handlers/sdp/unifiedPlanUtils'
import { getSendingRemoteRtpParameters, getSendingRtpParameters } from 'mediasoup-client/ortc'
import type {
  ExtendedRtpCapabilities,
  RtpCapabilities,
  RtpParameters
} from 'mediasoup-client/types'
import * as sdp from 'sdp-transform'
import { Problem } from './problem.ts'

export interface Section extends sdp.MediaDescription {
  type: ms.MediaKind
  mid: string
}

export interface Offer {
  session: sdp.SessionDescription
  sections: Section[]
  rtpCapabilities: RtpCapabilities
  dtlsParameters: ms.DtlsParameters
  iceUfrag: string
}

/** Reads an offer to send (WHIP) or to receive (WHEP). */
export function parseOffer(text: string, direction: 'sendonly' | 'recvonly'): Offer {
  const session = sdp.parse(text)
  const sections = session.media.map(section => ({ ...section, mid: String(section.mid) }))
  const { iceUfrag } = iceOf(session)
  if (!text.startsWith('v=0') || !sections.length || !iceUfrag)
    throw new Problem(400, 'the body must be an SDP offer, with media and ICE credentials')
  if (!sections.every(({ type }) => type === 'audio' || type === 'video'))
    throw new Problem(422, 'each section must be of audio or video')
  if (new Set(sections.map(({ type }) => type)).size < sections.length)
    throw new Problem(422, 'there must be at most one section of audio, and one of video')
  const wrong = sections.find(section => ![direction, 'sendrecv'].includes(directionOf(section)))
  if (wrong) throw new Problem(422, `sections must be ${direction} (got ${directionOf(wrong)})`)
  const group = session.groups?.find(({ type }) => type === 'BUNDLE')
  const bundle = String(group?.mids).split(' ') // A number, if it is nothing but digits.
  if (!sections.every(({ mid, rtcpMux }) => rtcpMux && bundle.includes(mid)))
    throw new Problem(422, 'all sections must be in one BUNDLE group, with rtcp-mux')
  return {
    session,
    sections: sections as Section[],
    rtpCapabilities: extractRtpCapabilities({ sdpObject: session }),
    dtlsParameters: dtlsOf(session),
    iceUfrag
  }
}

const directionOf = ({ direction = 'sendrecv' }: sdp.MediaDescription) => direction

/** The credentials, which are those of the session or of a section: bundled, they are the same. */
export function iceOf(session: sdp.SessionDescription): sdp.SharedAttributes {
  return [session, ...session.media].find(({ iceUfrag, icePwd }) => iceUfrag && icePwd) ?? {}
}

function dtlsOf(session: sdp.SessionDescription): ms.DtlsParameters {
  try {
    const { role, fingerprints } = extractDtlsParameters({ sdpObject: session })
    if (!role) throw new Error('a=setup must be actpass, active or passive')
    // Who leaves it open begins, as browsers do.
    return { role: role === 'server' ? 'server' : 'client', fingerprints } as ms.DtlsParameters
  } catch (error) {
    throw new Problem(400, (error as Error).message)
  }
}

/** What a publisher sends in a section. */
export function sendingParameters(section: Section, agreed: ExtendedRtpCapabilities) {
  const parameters = getSendingRtpParameters(section.type, agreed)
  const { codecs } = parameters
  const encodings =
    section.simulcast?.dir1 === 'send'
      ? sdp
          .parseSimulcastStreamList(section.simulcast.list1)
          // Whether it has temporal layers the offer does not say: at most these.
          .map(([stream]) => ({ rid: String(stream!.scid), scalabilityMode: 'L1T3' }))
      : section.ssrcs?.length
        ? getRtpEncodings({ offerMediaObject: section, codecs })
        : [{}] // Then mediasoup knows it by its payload type.
  const rtcp = { cname: String(getCname({ offerMediaObject: section })) }
  return { ...parameters, mid: section.mid, rtcp, encodings } as RtpParameters
}

/** An answer, section after section, in the order of the offer. */
export class Answer {
  readonly #offer: Offer
  readonly #remote: RemoteSdp

  constructor(offer: Offer, { iceParameters, iceCandidates, dtlsParameters }: ms.WebRtcTransport) {
    this.#offer = offer
    // They are the same types, declared twice.
    this.#remote = new RemoteSdp({ iceParameters, iceCandidates, dtlsParameters } as never)
  }

  receives(section: Section, agreed: ExtendedRtpCapabilities, offered: RtpParameters) {
    this.#remote.send({
      offerMediaObject: section,
      offerRtpParameters: offered,
      answerRtpParameters: getSendingRemoteRtpParameters(section.type, agreed)
    })
  }

  sends({ mid, type }: Section, { id, rtpParameters }: ms.Consumer, streamId: string) {
    this.#remote.receive({
      mid,
      kind: type,
      offerRtpParameters: rtpParameters as RtpParameters,
      streamId,
      trackId: id
    })
  }

  /** Takes a section of which there is nothing to send. */
  ignores(section: Section) {
    const codecs = this.#offer.rtpCapabilities.codecs!.filter(({ kind }) => kind === section.type)
    const parameters = {
      codecs: codecs.map(codec => ({ ...codec, payloadType: codec.preferredPayloadType! })),
      headerExtensions: [],
      encodings: [],
      rtcp: {}
    }
    this.#remote.send({
      offerMediaObject: section,
      offerRtpParameters: parameters,
      answerRtpParameters: parameters
    })
    this.#remote.pauseMediaSection(section.mid)
  }

  toSession(): sdp.SessionDescription {
    const session = sdp.parse(this.#remote.getSdp())
    const setup = this.#offer.dtlsParameters.role === 'server' ? 'active' : 'passive'
    return { ...session, media: session.media.map(section => ({ ...section, setup })) }
  }
}

/** The part of an answer that an ICE restart changes (RFC 8840). */
export function writeFragment(
  { version, origin, name, timing, icelite, iceOptions, groups, media }: sdp.SessionDescription,
  { usernameFragment: iceUfrag, password: icePwd }: ms.IceParameters
): string {
  const { type, port, protocol, payloads, mid, candidates, endOfCandidates } = media[0]!
  const section = { type, port, protocol, payloads, mid, candidates, endOfCandidates }
  const ice = {
    icelite,
    iceOptions,
    groups,
    media: [{ ...section, iceUfrag, icePwd, rtp: [], fmtp: [] }]
  }
  // Of the session, a fragment has only attributes.
  return sdp.write({ version, origin, name, timing, ...ice }).replace(/^[vost]=.*\r\n/gm, '')
}
