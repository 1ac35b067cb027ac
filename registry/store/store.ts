// What registries share: what cannot be asked of the hosts themselves. Load, sessions and objects are
// asked of the hosts, and are not in it.

import type { Host, Hosts } from '../host.ts'

/** Where a room is. */
export interface Place {
  readonly room: string
  /** The id of a host. */
  readonly host: string
  /** Rises by one each time that the room gets another host. The first one is 1. */
  readonly epoch: number
}

/** What the subjects of rooms begin with: what was told of a room is forgotten with its epoch. */
export const ROOMS = 'rooms/'

export interface StoreOptions {
  /** How long the epoch of a room is kept that has no host any more, in ms. Default 1 hour. */
  epochLife?: number
  /** How often such rooms are looked for, in ms. Default 10 minutes. */
  tidyEvery?: number
}

export const storeDefaults = {
  epochLife: 3_600_000,
  tidyEvery: 600_000
} satisfies Required<StoreOptions>

export interface Assignment extends Place {
  /** Whether it has got this host by this call. */
  readonly isNew: boolean
}

/** What is told to applications. */
export interface StoredEvent {
  /** Names it in the stream. Later ones are greater. */
  readonly id: string
  /** What it is about. Events of one subject are told in their order. */
  readonly subject: string
  /** JSON. */
  readonly body: string
}

export interface Store extends Hosts {
  /**
   * Adds a host, or renews it. It is gone when neither the lease was renewed nor a registry holds it.
   *
   * @param lease in ms
   * @param rooms that it has: they are put into a store that has lost them
   */
  register(host: Host, lease: number, rooms?: readonly Place[]): Promise<void>
  /** Takes a host out at once. Its rooms get another one when they are asked for. */
  unregister(host: string): Promise<void>

  /** A registry is connected to a host: it is there, whatever becomes of its lease. Renewed as a lease. */
  hold(host: string, registry: string, lease: number): Promise<void>
  /**
   * A registry has lost a host. When no other one holds it, it is gone at once.
   */
  release(host: string, registry: string): Promise<void>

  /**
   * The place of a room: where it is, as long as that host is there, or on the first of the
   * candidates that is. One call at a time: all who ask get the same place. Undefined if none of the
   * candidates is there.
   */
  assign(room: string, candidates: readonly string[]): Promise<Assignment | undefined>
  /** Undefined if it has no place, or its host is gone. */
  place(room: string): Promise<Place | undefined>
  /** The places of rooms, in no order, each at least once. */
  places(): AsyncIterable<Place>
  /** Answers where it was. */
  remove(room: string): Promise<Place | undefined>

  /** Adds an event, which is told at least once. */
  publish(subject: string, body: string): Promise<void>
  /**
   * Events to tell, to one reader each; those that a reader has not settled within `patience` ms, and
   * does not keep, go to another. An event comes when those before it of the same subject are settled.
   */
  events(reader: string, patience: number, signal: AbortSignal): AsyncIterable<StoredEvent>
  /** It still tries to tell an event. */
  keep(reader: string, event: StoredEvent): Promise<void>
  /** An event was told, or given up. */
  settle(event: StoredEvent): Promise<void>

  /** Whether `registry` is the one that does a task, for the next `lease` ms: nobody else is. */
  lead(task: string, registry: string, lease: number): Promise<boolean>

  close(): Promise<void>

  /** Those that are there now. */
  hosts(): Promise<readonly Host[]>
  /**
   * Publishes an event unless `state` is what was last told of its subject, and answers whether it
   * did. All who tell the same state publish it once.
   *
   * @param state undefined at the end of the subject, of which nothing is kept then
   * @param first what is published instead of `body` where nothing of the subject is kept
   */
  tell(subject: string, state: string | undefined, body: string, first?: string): Promise<boolean>
  /** The states that were last told, of the subjects that begin with `prefix`. */
  told(prefix: string): Promise<ReadonlyMap<string, string>>
}

/** The store cannot be asked now. */
export class StoreError extends Error {
  override name = 'StoreError'
}
