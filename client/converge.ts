// After a tier has forgotten a session, or another one took its place: brings the client's objects to what the hosts say of
// them, with the events that the difference implies.

import type { Announcement } from '../lib/codec.ts'
import { ConnectionError } from '../lib/errors.ts'
import type { ObjectKind } from '../lib/methods.ts'
import type { Handle } from '../lib/wire.ts'
import type { Entity } from './entity.ts'
import { WorkerImpl } from './objects.ts'

/** What ends an object from outside. */
const ENDINGS: Partial<Record<ObjectKind, string>> = {
  Router: 'workerclose',
  WebRtcServer: 'workerclose',
  WebRtcTransport: 'routerclose',
  PlainTransport: 'routerclose',
  PipeTransport: 'routerclose',
  DirectTransport: 'routerclose',
  ActiveSpeakerObserver: 'routerclose',
  AudioLevelObserver: 'routerclose',
  Consumer: 'producerclose',
  DataConsumer: 'dataproducerclose'
}

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

/**
 * @param announcements all objects that there are, parents first
 * @param close closes on its host what is not known here
 */
export function converge(entities: ReadonlyMap<Handle, Entity>, announcements: Announcement[], close: (announcement: Announcement) => void) {
  const there = new Set(announcements.map(({ $ }) => $))
  for (const entity of [...entities.values()]) if (!there.has(entity.handle)) end(entity)
  for (const announcement of announcements) {
    const { $, of, members } = announcement
    const entity = entities.get($)
    if (entity) tellChanges(entity, members)
    else if (of === undefined || entities.has(of)) close(announcement)
  }
}

function end(entity: Entity) {
  if (entity instanceof WorkerImpl) entity.die(new ConnectionError('the Worker was lost while the tier was replaced'))
  else entity.end(ENDINGS[entity.row.kind as ObjectKind])
}

function tellChanges(entity: Entity, members: Record<string, unknown>) {
  const changes = entity.differences(members)
  entity.update(members)
  for (const name of changes) {
    const value = members[name]
    const toggle = SWITCHES[name]?.[value ? 0 : 1]
    const event = toggle ?? TELLS[name]
    if (event && entity.row.events.has(event)) entity.receive(event, toggle ? [] : [value ?? undefined])
  }
}
