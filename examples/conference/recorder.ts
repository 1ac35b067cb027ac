// Records a Producer to a file: a PlainTransport sends its RTP to FFmpeg, or else to GStreamer.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type * as ms from 'mediasoup/types'

export interface RecorderOptions {
  producerId: string
  /** Ends with .webm. */
  file: string
  listenIp: string
}

interface Stream {
  ip: string
  port: number
  codec: ms.RtpCodecParameters
  kind: ms.MediaKind
}

const isInstalled = (program: string, ...args: string[]) => !spawnSync(program, args).error

export class Recorder {
  readonly program: string
  readonly #transport: ms.PlainTransport
  readonly #child: ChildProcess

  static async start(router: ms.Router, { producerId, file, listenIp }: RecorderOptions) {
    const program = ['ffmpeg', 'gst-launch-1.0'].find(name => isInstalled(name, '--version'))
    if (!program) throw new Error('to record needs ffmpeg or gst-launch-1.0: install one of them')
    const transport = await router.createPlainTransport({
      listenInfo: { protocol: 'udp', ip: listenIp },
      rtcpMux: true,
      comedia: false
    })
    const port = await freePort(listenIp)
    await transport.connect({ ip: listenIp, port })
    const consumer = await transport.consume({
      producerId,
      rtpCapabilities: router.rtpCapabilities,
      paused: true
    })
    const [codec] = consumer.rtpParameters.codecs
    const stream = { ip: listenIp, port, codec: codec!, kind: consumer.kind }
    const recorder = new Recorder(transport, program, stream, file)
    await consumer.resume()
    await consumer.requestKeyFrame()
    consumer.on('producerclose', () => recorder.stop())
    return recorder
  }

  private constructor(transport: ms.PlainTransport, program: string, stream: Stream, file: string) {
    this.program = program
    this.#transport = transport
    this.#child = program === 'ffmpeg' ? ffmpeg(stream, file) : gstreamer(stream, file)
    this.#child.once('exit', () => transport.close())
  }

  /** Resolves when the file is complete. */
  async stop() {
    const { exitCode, signalCode } = this.#child
    if (exitCode === null && signalCode === null) {
      this.#child.kill('SIGINT')
      await once(this.#child, 'exit')
    }
    this.#transport.close()
  }
}

function ffmpeg({ ip, port, codec, kind }: Stream, file: string): ChildProcess {
  const [, encoding] = codec.mimeType.split('/')
  const channels = codec.channels ? `/${codec.channels}` : ''
  const sdp = [
    'v=0',
    `o=- 0 0 IN IP4 ${ip}`,
    's=-',
    `c=IN IP4 ${ip}`,
    't=0 0',
    `m=${kind} ${port} RTP/AVP ${codec.payloadType}`,
    'a=rtcp-mux',
    `a=rtpmap:${codec.payloadType} ${encoding}/${codec.clockRate}${channels}`,
    ''
  ].join('\n')
  const args = ['-protocol_whitelist', 'pipe,udp,rtp', '-f', 'sdp', '-i', 'pipe:0']
  const child = spawn('ffmpeg', ['-loglevel', 'error', ...args, '-c', 'copy', '-y', file], {
    stdio: ['pipe', 'inherit', 'inherit']
  })
  child.stdin!.end(sdp)
  return child
}

function gstreamer({ ip, port, codec, kind }: Stream, file: string): ChildProcess {
  const encoding = codec.mimeType.split('/')[1]!.toUpperCase()
  const caps = `application/x-rtp,media=${kind},payload=${codec.payloadType},clock-rate=${codec.clockRate},encoding-name=${encoding}`
  const depay = `rtp${encoding.toLowerCase()}depay`
  const source = ['udpsrc', `address=${ip}`, `port=${port}`, `caps=${caps}`]
  const pipeline = [...source, '!', depay, '!', 'webmmux', '!', 'filesink', `location=${file}`]
  return spawn('gst-launch-1.0', ['-e', '-q', ...pipeline], { stdio: 'inherit' })
}

async function freePort(ip: string): Promise<number> {
  const socket = createSocket('udp4').bind(0, ip)
  await once(socket, 'listening')
  const { port } = socket.address()
  socket.close()
  return port
}
