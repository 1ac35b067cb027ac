// What applications are told, as CloudEvents 1.0 in JSON. All registries that see the same thing
// publish it once.

import { randomUUID } from 'node:crypto'
import type { Wanted } from '../../lib/wanted.ts'
import { ROOMS, type Store } from '../store/store.ts'

export interface HostEvent {
  host: string
  url: string
  labels?: Readonly<Record<string, string>> | undefined
}

export interface RoomEvent {
  room: string
  host: string
  /** Of the host, if it is known here. */
  url?: string | undefined
  epoch: number
}

export interface EventData {
  /** It takes rooms: it has come, or is no longer full, or its drain was cancelled. */
  'host.up': HostEvent
  /** All of its cores are in use. */
  'host.full': HostEvent
  /** It takes no new rooms, because it is about to end. */
  'host.draining': HostEvent
  'host.down': { host: string }
  /** A room has got its first host, since it was made or closed. */
  'room.assigned': RoomEvent
  /** It has got another one. Where nothing was told of it, it is told as `room.assigned`. */
  'room.moved': RoomEvent
  'room.closed': { room: string }
  /** How many hosts there should be has changed. */
  'hosts.wanted': WantedEvent
}

export type WantedEvent = Pick<Wanted, 'hosts' | 'now' | 'starting' | 'cores' | 'reason'>

export type EventType = keyof EventData

export type HostEventType = 'host.up' | 'host.full' | 'host.draining'

/** Answers whether it is told: not, if it is what was told last of its subject. */
export type Publish = <T extends EventType>(type: T, data: EventData[T]) => Promise<boolean>

/** What all subjects of hosts begin with. */
export const HOSTS = 'hosts/'

type Subject = [subject: string, state: string | undefined]

/** A host that has another URL is told of again. */
export const stateOfHost = (condition: string, { url }: HostEvent) => `${condition} ${url}`

const hostIs =
  (condition: string) =>
  (data: HostEvent): Subject => [HOSTS + data.host, stateOfHost(condition, data)]

const roomIsOn = ({ room, host, epoch }: RoomEvent): Subject => [ROOMS + room, `${epoch} ${host}`]

/** What each is about, and the state of it that it tells: undefined when it has ended. */
const subjects: { [T in EventType]: (data: EventData[T]) => Subject } = {
  'host.up': hostIs('up'),
  'host.full': hostIs('full'),
  'host.draining': hostIs('draining'),
  'host.down': ({ host }) => [HOSTS + host, undefined],
  'room.assigned': roomIsOn,
  'room.moved': roomIsOn,
  'room.closed': ({ room }) => [ROOMS + room, undefined],
  'hosts.wanted': ({ hosts }) => ['hosts', String(hosts)]
}

/**
 * @param source who tells: a URI of the registry
 */
export const publisher =
  (store: Pick<Store, 'tell'>, source: string): Publish =>
  (type, data) => {
    const [subject, state] = subjects[type](data)
    const as = (type: EventType) =>
      JSON.stringify({
        specversion: '1.0',
        id: randomUUID(),
        source,
        type: `mafalda.${type}`,
        subject,
        time: new Date().toISOString(),
        datacontenttype: 'application/json',
        data
      })
    // A room has epochs above 1 from before it was closed, too.
    const first = type === 'room.moved' ? as('room.assigned') : undefined
    return store.tell(subject, state, as(type), first)
  }

/** Of a registry that has no webhook. */
export const publishNothing: Publish = async () => false
