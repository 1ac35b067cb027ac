// The channel on which mediasoup's objects hear their worker. Some tests speak on it in the
// worker's place: what they say is given to an object of mediasoup's own class, and what that emits
// goes to the client's object as an event of the peer.

import type { EventEmitter } from 'node:events'

import { EnhancedEventEmitter } from 'mediasoup/extras'

import { kinds } from '../../lib/methods.ts'

type Members = Record<string, unknown>
type Observable = EventEmitter & { readonly observer: EventEmitter }

/** An object of the client. */
export interface ClientObject extends Observable {
  readonly id: string
  update(live: Members): void
  receive(event: string, args: unknown[]): void
}

export function channelFor(object: ClientObject): EventEmitter {
  const kind = object.constructor.name.replace(/Impl$/, '')
  const { live, events } = kinds.get(kind)!
  const channel = new EnhancedEventEmitter()
  const twin = makeTwin(kind, object, channel, live)
  let told = read(twin, live)

  const forward =
    (event: string) =>
    (...args: unknown[]) => {
      const changes = live.filter(
        name => JSON.stringify(told[name]) !== JSON.stringify(read(twin, live)[name])
      )
      told = read(twin, live)
      object.update(Object.fromEntries(changes.map(name => [name, told[name]])))
      // As plain objects, which is how they come over a wire.
      object.receive(event, structuredClone(args))
    }
  for (const [event, role] of events) {
    if (role === 'self' || role === 'both') twin.on(event, forward(event))
    if (role === 'observer') twin.observer.on(event, forward(event))
  }
  return channel
}

/**
 * An object of mediasoup's own class that has the same id and members, and hears another channel.
 */
function makeTwin(
  kind: string,
  object: ClientObject,
  channel: EventEmitter,
  live: string[]
): Observable {
  const { id } = object
  const { [`${kind}Impl`]: type } = require(`mediasoup/node/lib/${kind}.js`) as Record<
    string,
    new (
      options: object
    ) => Observable
  >
  const internal = { transportId: id, producerId: id, consumerId: id }
  return new type!({ ...read(object, live), internal, data: object, channel })
}

function read(object: object, names: string[]): Members {
  return Object.fromEntries(names.map(name => [name, (object as Members)[name]]))
}
