// A participant of the conference example in a browser: mediasoup-client, and the signalling of the
// example.

/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { Device } from 'mediasoup-client'
import type { ConsumerOptions, RtpCapabilities, TransportOptions } from 'mediasoup-client/types'

declare global {
  /** Joins the room of that URL, and takes all that others produce from then on. */
  var join: (url: string) => Promise<void>
  /** Sends camera and microphone. */
  var produce: () => Promise<void>
  /** What comes out of the decoders. */
  var decoded: () => Promise<{ frames: number; audioEnergy: number }>
}

globalThis.join = async url => {
  const ask = await openSignalling(url, takeProducer)
  const device = await Device.factory()
  await device.load({ routerRtpCapabilities: await ask<RtpCapabilities>('capabilities') })
  const sending = device.createSendTransport(await ask<TransportOptions>('createWebRtcTransport'))
  const receiving = device.createRecvTransport(await ask<TransportOptions>('createWebRtcTransport'))
  for (const transport of [sending, receiving])
    transport.on('connect', ({ dtlsParameters }, done, fail) => {
      ask('connectTransport', { transportId: transport.id, dtlsParameters }).then(done, fail)
    })
  sending.on('produce', ({ kind, rtpParameters }, done, fail) => {
    ask<{ id: string }>('produce', { transportId: sending.id, kind, rtpParameters }).then(
      done,
      fail
    )
  })

  async function takeProducer(producerId: string) {
    const { recvRtpCapabilities: rtpCapabilities } = device
    const wanted = { transportId: receiving.id, producerId, rtpCapabilities }
    const options = await ask<ConsumerOptions>('consume', wanted)
    const { id: consumerId, track } = await receiving.consume({ ...options, producerId })
    const element = document.body.appendChild(document.createElement(track.kind as 'video'))
    Object.assign(element, { srcObject: new MediaStream([track]), autoplay: true })
    await ask('resume', { consumerId })
  }

  globalThis.produce = async () => {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true })
    for (const track of stream.getTracks()) await sending.produce({ track })
  }
  globalThis.decoded = async () => {
    const reports = [...(await receiving.getStats()).values()]
    const sum = (key: string) => reports.reduce((total, report) => total + (report[key] ?? 0), 0)
    return { frames: sum('framesDecoded'), audioEnergy: sum('totalAudioEnergy') }
  }
}

type Ask = <T>(method: string, data?: object) => Promise<T>

async function openSignalling(url: string, onProduced: (producerId: string) => unknown) {
  const socket = new WebSocket(url)
  const pending = new Map<number, PromiseWithResolvers<never>>()
  socket.onmessage = ({ data: text }) => {
    const { request, result, error, event, data } = JSON.parse(text)
    if (event === 'produced') onProduced(data.producerId)
    else if (error) pending.get(request)?.reject(new Error(error))
    else pending.get(request)?.resolve(result as never)
  }
  await new Promise(resolve => socket.addEventListener('open', resolve))
  let requests = 0
  return (<T>(method: string, data?: object) => {
    const request = ++requests
    const answer = Promise.withResolvers<never>()
    pending.set(request, answer)
    socket.send(JSON.stringify({ request, method, data }))
    return answer.promise as Promise<T>
  }) satisfies Ask
}
