// The browser's half of the room: mediasoup-client on one side, the signalling on the other,
// nothing of the page.

/// <reference lib="dom" />
import { Device } from 'mediasoup-client'
import type {
  Consumer,
  DataConsumer,
  DataProducer,
  MediaKind,
  Producer,
  RtpCapabilities,
  RtpParameters,
  Transport
} from 'mediasoup-client/types'
import type { SctpStreamParameters } from 'mediasoup/types'
import type { ParticipantInfo } from '../room.ts'
import { Signalling, type Notice } from './signalling.ts'

/** What the call shows to its user. */
export interface View {
  joined(participant: ParticipantInfo): void
  left(participantId: string): void
  track(participantId: string, track: MediaStreamTrack): void
  /** Whether sound or picture of a participant arrive at the moment. */
  live(participantId: string, kind: MediaKind, live: boolean): void
  speaker(participantId: string): void
  chatOpen(): void
  chat(participantId: string, text: string): void
  /** What is wrong with the media connection at the moment, if anything. */
  trouble(sentence: string | undefined): void
  /** The host of the call is gone. The devices stay open for another call. */
  lost(sentence: string, tracks: MediaStreamTrack[]): void
  /** The call is over, and not because the user left. */
  ended(sentence: string): void
}

const video: MediaTrackConstraints = {
  width: { ideal: 640 },
  height: { ideal: 360 },
  frameRate: { ideal: 24 }
}
const constraints = { audio: true, video }

/** The camera and the microphone, or one of them. Rejects when there is neither. */
export async function openDevices(): Promise<MediaStreamTrack[]> {
  let reason: unknown
  for (const wanted of [constraints, { audio: true }, { video }]) {
    try {
      return (await navigator.mediaDevices.getUserMedia(wanted)).getTracks()
    } catch (error) {
      reason = error
      // A user who said no is not asked a second time.
      if (error instanceof DOMException && error.name === 'NotAllowedError') break
    }
  }
  throw reason
}

export class Call {
  readonly #view: View
  readonly #device: Device
  readonly #producers = new Map<MediaKind, Producer>()
  // Promises, because a notice about a Consumer can come while the browser still prepares it.
  readonly #consumers = new Map<string, Promise<Consumer | DataConsumer>>()
  #signalling: Signalling | undefined
  #sendTransport!: Transport
  #recvTransport!: Transport
  #chat: DataProducer | undefined
  #me = ''
  #joined = false
  #over = false

  /**
   * A track that is not enabled is muted, and remains so. Until it has joined, the tracks are the
   * caller's.
   */
  static async join(name: string, tracks: MediaStreamTrack[], view: View): Promise<Call> {
    const call = new Call(view, await Device.factory())
    try {
      await call.#join(name)
      await Promise.all([...tracks.map(track => call.#produce(track)), call.#openChat()])
    } catch (error) {
      call.#close()
      throw error
    }
    call.#joined = true
    return call
  }

  private constructor(view: View, device: Device) {
    this.#view = view
    this.#device = device
  }

  async turnOn(kind: MediaKind): Promise<void> {
    const producer = this.#producers.get(kind)
    if (producer?.track?.readyState === 'live') return this.#resume(producer)
    const [track] = (
      await navigator.mediaDevices.getUserMedia({ [kind]: constraints[kind] })
    ).getTracks()
    if (this.#over || !track) return track?.stop()
    if (!producer) return this.#produce(track)
    await producer.replaceTrack({ track })
    this.#view.track(this.#me, track)
    await this.#resume(producer)
  }

  async turnOff(kind: MediaKind): Promise<void> {
    const producer = this.#producers.get(kind)
    if (!producer) return
    producer.pause()
    // The camera's light goes out only when its track is stopped. A microphone has to be back at
    // once.
    if (kind === 'video') producer.track?.stop()
    this.#view.live(this.#me, kind, false)
    await this.#request('pauseProducer', { producerId: producer.id })
  }

  say(text: string): void {
    this.#chat?.send(text)
    this.#view.chat(this.#me, text)
  }

  leave(): void {
    this.#close()
    for (const track of this.#tracks) track.stop()
  }

  #close(): void {
    this.#over = true
    this.#sendTransport?.close()
    this.#recvTransport?.close()
    this.#signalling?.close()
  }

  get #tracks(): MediaStreamTrack[] {
    return [...this.#producers.values()].flatMap(({ track }) =>
      track?.readyState === 'live' ? track : []
    )
  }

  async #join(name: string): Promise<void> {
    let ready = () => {}
    const prepared = new Promise<void>(resolve => {
      ready = resolve
    })
    this.#signalling = await Signalling.open({
      // Notices wait until the transports exist, and keep their order.
      onNotice: notice => prepared.then(() => this.#handle(notice)),
      onClose: () => this.#end('The connection to the server is lost.')
    })
    const welcome = await this.#request('join', { name })
    this.#me = welcome.you.id
    // A few types of the two libraries differ in a detail (here a header extension); what they
    // describe is the same.
    await this.#device.load({
      routerRtpCapabilities: welcome.routerRtpCapabilities as RtpCapabilities
    })
    this.#sendTransport = this.#prepare(this.#device.createSendTransport(welcome.sendTransport))
    this.#recvTransport = this.#prepare(this.#device.createRecvTransport(welcome.recvTransport))
    for (const participant of [welcome.you, ...welcome.others]) this.#meet(participant)
    if (welcome.speakerId) this.#view.speaker(welcome.speakerId)
    ready()
  }

  #meet(participant: ParticipantInfo): void {
    this.#view.joined(participant)
    if (participant.id === this.#me) return
    for (const producerId of participant.producerIds) this.#consume(participant.id, producerId)
    for (const dataProducerId of participant.dataProducerIds)
      this.#consumeData(participant.id, dataProducerId)
  }

  #prepare(transport: Transport): Transport {
    transport.on('connect', ({ dtlsParameters }, done, fail) => {
      this.#request('connectTransport', { transportId: transport.id, dtlsParameters }).then(
        done,
        fail
      )
    })
    transport.on('produce', ({ kind, rtpParameters, appData }, done, fail) => {
      this.#request('produce', { kind, rtpParameters, paused: Boolean(appData.paused) }).then(
        done,
        fail
      )
    })
    transport.on('producedata', ({ sctpStreamParameters, label }, done, fail) => {
      this.#request('produceData', {
        sctpStreamParameters: sctpStreamParameters as SctpStreamParameters,
        label
      }).then(done, fail)
    })
    transport.on('connectionstatechange', () => this.#showTrouble())
    return transport
  }

  #showTrouble(): void {
    if (this.#over) return
    const states = [this.#sendTransport.connectionState, this.#recvTransport.connectionState]
    if (states.includes('failed'))
      this.#view.trouble('Sound and picture do not reach the server: is a firewall in the way?')
    else if (states.includes('disconnected'))
      this.#view.trouble('Sound and picture are interrupted.')
    else this.#view.trouble(undefined)
  }

  async #produce(track: MediaStreamTrack): Promise<void> {
    const kind = track.kind as MediaKind
    // Two sizes of the picture: mediasoup sends everybody the one that fits.
    const encodings = [{ scaleResolutionDownBy: 2, maxBitrate: 150_000 }, { maxBitrate: 600_000 }]
    const producer = await this.#sendTransport.produce({
      track,
      stopTracks: false,
      appData: { paused: !track.enabled },
      ...(kind === 'video' && { encodings })
    })
    producer.on('trackended', () => this.turnOff(kind))
    this.#producers.set(kind, producer)
    this.#view.track(this.#me, track)
    this.#view.live(this.#me, kind, track.enabled)
  }

  async #resume(producer: Producer): Promise<void> {
    producer.resume()
    this.#view.live(this.#me, producer.kind, true)
    await this.#request('resumeProducer', { producerId: producer.id })
  }

  async #openChat(): Promise<void> {
    this.#chat = await this.#sendTransport.produceData({ label: 'chat' })
    if (this.#chat.readyState === 'open') this.#view.chatOpen()
    else this.#chat.on('open', () => this.#view.chatOpen())
  }

  #handle({ notice, data }: Notice): void {
    if (this.#over) return
    switch (notice) {
      case 'joined':
        return this.#meet(data)
      case 'left':
        return this.#view.left(data.participantId)
      case 'newProducer':
        return void this.#consume(data.participantId, data.producerId)
      case 'newDataProducer':
        return void this.#consumeData(data.participantId, data.dataProducerId)
      case 'consumerPaused':
        return void this.#setLive(data.consumerId, false)
      case 'consumerResumed':
        return void this.#setLive(data.consumerId, true)
      case 'consumerClosed':
        return void this.#closeConsumer(data.consumerId)
      case 'speaker':
        return this.#view.speaker(data.participantId)
      case 'lost':
        return this.#lost(data.reason)
    }
  }

  async #consume(participantId: string, producerId: string): Promise<void> {
    try {
      const { recvRtpCapabilities: rtpCapabilities } = this.#device
      const { id, kind, producerPaused, rtpParameters } = await this.#request('consume', {
        producerId,
        rtpCapabilities
      })
      const preparing = this.#recvTransport.consume({
        id,
        producerId,
        kind,
        rtpParameters: rtpParameters as RtpParameters,
        // The same for all tracks of a participant: the browser keeps lips and voice together.
        streamId: participantId,
        appData: { participantId }
      })
      this.#consumers.set(id, preparing)
      const consumer = await preparing
      this.#view.track(participantId, consumer.track)
      this.#view.live(participantId, kind, !producerPaused)
      await this.#request('resumeConsumer', { consumerId: id })
    } catch (error) {
      this.#missed(error)
    }
  }

  async #consumeData(participantId: string, dataProducerId: string): Promise<void> {
    try {
      const preparing = this.#recvTransport.consumeData(
        await this.#request('consumeData', { dataProducerId })
      )
      const dataConsumer = await preparing
      this.#consumers.set(dataConsumer.id, preparing)
      dataConsumer.on('message', text => this.#view.chat(participantId, String(text)))
    } catch (error) {
      this.#missed(error)
    }
  }

  #missed(error: unknown): void {
    // The participant may have left before we asked. The user need not know.
    console.warn('a stream of the room was missed:', error)
  }

  async #setLive(consumerId: string, live: boolean): Promise<void> {
    const consumer = await this.#consumers.get(consumerId)
    if (consumer && 'kind' in consumer)
      this.#view.live(String(consumer.appData.participantId), consumer.kind, live)
  }

  async #closeConsumer(consumerId: string): Promise<void> {
    const consumer = await this.#consumers.get(consumerId)
    this.#consumers.delete(consumerId)
    consumer?.close()
  }

  // Closing a call that has not joined yet makes join() fail, and that tells the user.

  #lost(sentence: string): void {
    const tracks = this.#tracks
    this.#close()
    if (this.#joined) this.#view.lost(sentence, tracks)
  }

  #end(sentence: string): void {
    if (this.#over) return
    if (!this.#joined) return this.#close()
    this.leave()
    this.#view.ended(sentence)
  }

  #request: Signalling['request'] = (method, data) => {
    if (this.#signalling) return this.#signalling.request(method, data)
    throw new Error('The server cannot be reached.')
  }
}
