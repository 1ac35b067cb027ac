// A participant in a browser that sends and receives through TURN alone.

/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { Device } from 'mediasoup-client'
import type { ConsumerOptions, RtpCapabilities, TransportOptions } from 'mediasoup-client/types'

declare global {
  /** Asks the application. */
  var ask: (method: string, data?: object) => Promise<never>
  /** Sends the camera; answers the id of the Producer. */
  var send: () => Promise<string>
  var receive: (producerId: string) => Promise<void>
  /** How many frames were decoded. */
  var framesDecoded: () => Promise<number>
  /** Of both ends of the candidate pairs in use: what sort it is. */
  var candidateTypes: () => Promise<string[]>
}

const device = await Device.factory()
await device.load({ routerRtpCapabilities: (await ask('capabilities')) as RtpCapabilities })
const settings = async () => ({
  ...((await ask('createTransport')) as TransportOptions),
  iceTransportPolicy: 'relay' as const
})
const sending = device.createSendTransport(await settings())
const receiving = device.createRecvTransport(await settings())
for (const transport of [sending, receiving])
  transport.on('connect', ({ dtlsParameters }, done, fail) => {
    ask('connect', { transportId: transport.id, dtlsParameters }).then(() => done(), fail)
  })
sending.on('produce', (parameters, done, fail) => {
  ask('produce', { transportId: sending.id, ...parameters }).then(id => done({ id }), fail)
})

globalThis.send = async () => {
  const stream = await navigator.mediaDevices.getUserMedia({ video: true })
  return (await sending.produce({ track: stream.getVideoTracks()[0]! })).id
}

globalThis.receive = async producerId => {
  const { recvRtpCapabilities: rtpCapabilities } = device
  const options = await ask('consume', { transportId: receiving.id, producerId, rtpCapabilities })
  const { track } = await receiving.consume(options as ConsumerOptions)
  const video = document.body.appendChild(document.createElement('video'))
  Object.assign(video, { srcObject: new MediaStream([track]), autoplay: true, muted: true })
}

globalThis.framesDecoded = async () => {
  const reports = [...(await receiving.getStats()).values()]
  return reports.reduce((sum, { framesDecoded = 0 }) => sum + framesDecoded, 0)
}

globalThis.candidateTypes = async () => {
  const all = await Promise.all([sending, receiving].map(transport => transport.getStats()))
  return all.flatMap(reports => {
    const inUse = [...reports.values()].filter(({ selectedCandidatePairId: id }) => id)
    return inUse.map(
      ({ selectedCandidatePairId: id }) =>
        reports.get(reports.get(id).localCandidateId).candidateType
    )
  })
}
