// What a method or an event does to objects, by its name on the wire. Derived from the model, once.

import { type EventRole, type MethodRole, type ObjectKind, kinds, methods } from './methods.ts'
import { creates } from './model.ts'

/**
 * - creates:   the answer names the new object
 * - announces: an event whose third parameter may announce an object
 * - closes:    the object of the message is no more, by the client's wish or the tier's
 * - ends:      the same, by what happened to it
 * - pauses, resumes: the object does
 */
export type Effect = 'creates' | 'announces' | 'closes' | 'ends' | 'pauses' | 'resumes'

const methodEffects: Partial<Record<MethodRole, Effect>> = { create: 'creates', close: 'closes' }
const eventEffects: Partial<Record<EventRole, Effect>> = { new: 'announces', end: 'ends' }
const effectsByName: Readonly<Record<string, Effect>> = {
  pause: 'pauses',
  resume: 'resumes',
  // Events that only a tier above mediasoup tells: a part of a Router is gone.
  routerclose: 'ends',
  subprocessclose: 'ends',
  // A WebRtcTransport is named here before the answer to createWebRtcTransport() names it.
  webrtctransporthandled: 'announces'
}

const effects: ReadonlyMap<string, Effect> = new Map([
  ...[...methods].flatMap(([name, { role }]) => entry(name, methodEffects[role])),
  ...[...kinds.values()].flatMap(({ kind, events }) =>
    [...events].flatMap(([event, role]) =>
      entry(`${kind}.${event}`, eventEffects[role] ?? effectsByName[event])
    )
  )
])

function entry(name: string, effect: Effect | undefined): [string, Effect][] {
  return effect ? [[name, effect]] : []
}

export const effectOf = (method: string): Effect | undefined => effects.get(method)

/** Whether the object of a message is no more after it. */
export const isEnd = (effect: Effect | undefined) => effect === 'closes' || effect === 'ends'

/** The kind of the object that a method creates. */
export const kindCreatedBy: ReadonlyMap<string, ObjectKind> = new Map(
  [...methods]
    .filter(([, { role }]) => role === 'create')
    .map(([name, { member }]) => [name, creates[member as keyof typeof creates]])
)
