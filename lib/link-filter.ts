// A Link with something between it and its user: what a layer does not treat itself passes through.

import { EventEmitter } from 'node:events'
import type { Frame, Head } from './frame.ts'
import type { Link, LinkEvents } from './tier.ts'

export abstract class LinkFilter extends EventEmitter<LinkEvents> implements Link {
  protected readonly below: Link

  constructor(below: Link) {
    super()
    this.below = below
    below.on('frame', (frame, head) => this.receive(frame, head))
    below.on('drain', () => this.emit('drain'))
    below.on('close', error => this.emit('close', error))
  }

  /** A frame came from the peer. */
  abstract receive(frame: Frame, head?: Head): void

  get bufferedAmount() {
    return this.below.bufferedAmount
  }

  send(frame: Frame, head?: Head) {
    this.below.send(frame, head)
  }

  pause() {
    this.below.pause()
  }

  resume() {
    this.below.resume()
  }

  close(error?: Error) {
    this.below.close(error)
  }
}
