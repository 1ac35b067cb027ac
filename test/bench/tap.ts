// The real frames of a call, so that the echo carries as many bytes.

import * as localMediasoup from 'mediasoup'
import type { Frame, Tier } from '../../lib/tier.ts'
import type { Exchange } from '../kit/echo-client.ts'
import { client, leaf } from '../kit/product.ts'

/** A mock whose frames are kept. */
export async function tappedMock() {
  let sent: Frame[] = []
  let heard: Frame[] = []
  const mediasoup = await client(
    tap(
      leaf(localMediasoup),
      frame => sent.push(frame),
      frame => heard.push(frame)
    )
  )

  /** What a call says, and is told. */
  async function exchangeOf(
    call: () => Promise<unknown>,
    isAnswer: (frame: Frame) => boolean = frame => frame.includes('"result"')
  ): Promise<Exchange> {
    sent = []
    heard = []
    await call()
    const [request, answer] = [sent[0], heard.find(isAnswer)]
    if (!request || !answer) throw new Error('the call must send a frame, and hear one')
    return { request, answer }
  }

  return { mediasoup, exchangeOf }
}

function tap(tier: Tier, onSent: (frame: Frame) => void, onHeard: (frame: Frame) => void): Tier {
  return {
    close: () => tier.close(),
    async open() {
      const link = await tier.open()
      const send = link.send.bind(link)
      link.send = frame => {
        onSent(frame)
        send(frame)
      }
      link.on('frame', onHeard)
      return link
    }
  }
}
