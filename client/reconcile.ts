// After a tier has forgotten a session, or another one took its place: brings the client's objects
// to what the hosts say of them, with the events that the difference implies.

import { ConnectionError } from '../lib/errors.ts'
import { nodeOf } from '../lib/frame-header.ts'
import type { Entry } from '../lib/recall.ts'
import type { Handle } from '../lib/wire.ts'
import type { Entity } from './entity.ts'
import { WorkerImpl } from './objects.ts'

/** The events that say what ended an object from outside. */
const ENDINGS = ['workerclose', 'routerclose', 'producerclose', 'dataproducerclose']

/** The events that tell live members, with these as their argument. */
const TELLS: Partial<Record<string, string>> = {
  iceState: 'icestatechange',
  iceSelectedTuple: 'iceselectedtuplechange',
  dtlsState: 'dtlsstatechange',
  sctpState: 'sctpstatechange',
  tuple: 'tuple',
  rtcpTuple: 'rtcptuple',
  score: 'score',
  currentLayers: 'layerschange'
}

/** The events that tell a switch, on and off. */
const SWITCHES: Partial<Record<string, [on: string, off: string]>> = {
  paused: ['pause', 'resume'],
  producerPaused: ['producerpause', 'producerresume'],
  dataProducerPaused: ['dataproducerpause', 'dataproducerresume']
}

/** Objects of one session and their nodes, while a tier tells what is left of them. */
export class Reconciliation {
  readonly #entities: Map<Handle, Entity>
  // What has not been told of each node yet; parents first.
  readonly #missing: Map<string, Set<Handle>>
  readonly #close: (kind: string, handle: Handle) => void

  /** @param close closes on its host what is not known here */
  constructor(
    entities: Map<Handle, Entity>,
    nodes: Iterable<string>,
    close: (kind: string, handle: Handle) => void
  ) {
    this.#entities = entities
    const byNode = Map.groupBy(entities.keys(), nodeOf)
    this.#missing = new Map([...nodes].map(node => [node, new Set(byNode.get(node))]))
    this.#close = close
  }

  /** These objects are there. Live members are taken over now: events that follow are newer. */
  told(entries: Entry[]) {
    for (const [handle, kind, of, live] of entries) {
      const entity = this.#entities.get(handle)
      this.#missing.get(nodeOf(handle))?.delete(handle)
      if (entity) tellChanges(entity, live)
      // What is on an unknown object is closed with it.
      else if (of === null || this.#entities.has(of)) this.#close(kind, handle)
    }
  }

  /** All objects of a node have been told: the others are gone. */
  done(node: string) {
    for (const handle of this.#missing.get(node) ?? []) {
      const entity = this.#entities.get(handle)
      if (entity) end(entity)
      this.#entities.delete(handle)
    }
    this.#missing.delete(node)
  }
}

function end(entity: Entity) {
  if (entity instanceof WorkerImpl)
    entity.die(new ConnectionError('the Worker was lost while the tier was replaced'))
  else entity.end(ENDINGS.find(event => entity.row.events.has(event)))
}

function tellChanges(entity: Entity, live: Record<string, unknown>) {
  // What is left out is undefined.
  const members = Object.fromEntries(entity.row.live.map(name => [name, live[name]]))
  const changes = entity.differences(members)
  entity.update(members)
  for (const name of changes) {
    const value = members[name]
    const toggle = SWITCHES[name]?.[value ? 0 : 1]
    const event = toggle ?? TELLS[name]
    if (event && entity.row.events.has(event))
      entity.receive(event, toggle ? [] : [value ?? undefined])
  }
}
