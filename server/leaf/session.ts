// One session on a leaf: takes its client's messages apart, and hands them to who sees to them.

import { randomBytes } from 'node:crypto'
import { ProtocolError, describeError } from '../../lib/errors.ts'
import type { Head } from '../../lib/frame.ts'
import type { Whose } from '../../lib/session-info.ts'
import type { Frame, Link } from '../../lib/tier.ts'
import { isOfTier } from '../../lib/tier-model.ts'
import { type Message, badRequest, decode, encodeFailure } from '../../lib/wire.ts'
import { Borrowing } from './borrow/borrowing.ts'
import { Calls } from './calls.ts'
import { Events } from './events.ts'
import type { Leaf, Send } from './context.ts'
import { OPEN_PIPE } from './open-pipe.ts'
import { SessionNetwork } from './network/network.ts'
import { Objects } from './objects.ts'
import type { SurveyedParty } from './survey.ts'
import { TierCalls } from './tier-calls.ts'

/** Whose a session is, and of which realm, where that is known. */
interface Owner {
  whose?: Whose | undefined
  realm?: string | undefined
}

export class Session {
  readonly #objects: Objects
  readonly #calls: Calls
  readonly #tier: TierCalls
  readonly #network: SessionNetwork
  readonly #send: Send

  constructor(leaf: Leaf, link: Link, { whose, realm = '' }: Owner = {}) {
    const send: Send = (frame, head) => link.send(frame, head)
    const objects = new Objects(leaf, realm)
    const network = new SessionNetwork(leaf.network)
    const events = new Events(objects, link, send, leaf.lending)
    const borrowing = new Borrowing({ leaf, objects, network, events, realm })
    const calls = new Calls({
      leaf,
      tenant: this,
      objects,
      network,
      events,
      borrowing,
      send
    })
    this.#send = send
    this.#objects = objects
    this.#calls = calls
    this.#network = network
    this.#tier = new TierCalls({
      leaf,
      objects,
      network,
      link,
      send,
      borrowing,
      onRecall: () => {
        calls.forget()
        objects.giveBack()
      }
    })
    const surveyed: SurveyedParty = {
      name: randomBytes(6).toString('base64url'),
      since: Date.now(),
      whose,
      objects
    }
    leaf.survey.sessions.add(surveyed)
    link.once('close', () => leaf.survey.sessions.delete(surveyed))
    link.on('frame', (frame, head) => this.#receive(frame, head))
    link.on('close', () => this.#end())
  }

  #end() {
    this.#calls.forget()
    this.#tier.end()
    this.#objects.end()
    this.#network.end()
  }

  #receive(frame: Frame, head: Head | undefined) {
    let message: Message | undefined
    try {
      message = decode(frame, head)
      const { id, method } = message
      if (method === undefined)
        throw badRequest('a leaf sends no requests, so it expects no answers', id)
      const receiver = isOfTier(method) && method !== OPEN_PIPE ? this.#tier : this.#calls
      if (id === undefined) receiver.notify(method, message.params)
      else receiver.request(id, method, message.params)
    } catch (error) {
      const id = message?.id ?? (error instanceof ProtocolError ? error.id : null)
      this.#send(encodeFailure(id, describeError(error)))
    }
  }
}
