// A session on a vertical tier that was forgotten: what it knew, found again in what there is
// below. Its own parts have tags beside their client's appData, which say what they are parts of.

import type * as ms from 'mediasoup/types'
import type { Announcement } from '../../lib/codec.ts'
import type { Handle } from '../../lib/wire.ts'
import { areConnected } from '../pipes.ts'
import type { SessionState } from './state.ts'
import {
  type AggregateRouter,
  type AggregateServer,
  type HostedTransport,
  RouterPart,
  ServerPart,
  WorkerPart
} from './types.ts'
import { type PartTag, partKey } from './tags.ts'

export interface Restored {
  /** What the client is told that there is, parents first. */
  announcements: Announcement[]
  /** What belongs to nothing. */
  orphans: Announcement[]
  /** The parts of Routers that have RTP observers. */
  observed: RouterPart[]
}

/** @param found all that there is below, parents first */
export function restore(
  found: Announcement[],
  { session, below, tables, pipes, replicas }: SessionState
): Restored {
  const key = partKey(session)
  const told: Announcement[] = []
  const orphans: Announcement[] = []
  const observed = new Set<RouterPart>()
  const tagOf = ({ appData }: Announcement) => appData?.[key] as PartTag | undefined
  const isOfPipe = ({ appData }: Announcement) => appData?.[pipes.tag] !== undefined
  const byHandle = new Map(found.map(announcement => [announcement.$, announcement]))
  const of = (kind: string) => found.filter(announcement => announcement.kind === kind)

  pipes.restore(found.map(announcement => ({ branch: below, announcement })))
  // The whole comes from the first part: it is the one whose tag has no id, if it is still there.
  const isFirst = (announcement: Announcement) => tagOf(announcement)?.id === undefined
  for (const announcement of of('Worker').toSorted(
    (one, other) => ordinalOf(one) - ordinalOf(other)
  ))
    restoreWorker(announcement)
  for (const announcement of partsOf('Router')) restoreRouter(announcement)
  for (const announcement of partsOf('WebRtcServer')) restoreServer(announcement)
  for (const announcement of found)
    if (tables.routerParts.has(announcement.of ?? '')) restoreTransport(announcement)
  for (const announcement of found)
    if (/Producer$/.test(announcement.kind)) restoreProducer(announcement)
  for (const announcement of found)
    if (/Producer$/.test(announcement.kind) && pipes.owns(announcement.$))
      restoreReplica(announcement)
  replicas.findGateways()
  restorePairing(
    of('PipeTransport').filter(announcement => tables.objects.transports.has(announcement.$))
  )
  for (const announcement of found)
    if (/Consumer$/.test(announcement.kind)) restoreConsumer(announcement)
  return { announcements: told, orphans, observed: [...observed] }

  // The first one, then in the order of their Workers.
  function partsOf(kind: string) {
    const ordinal = ({ of }: Announcement) => tables.workerParts.get(of ?? '')?.ordinal ?? 0
    return of(kind).toSorted(
      (one, other) => Number(isFirst(other)) - Number(isFirst(one)) || ordinal(one) - ordinal(other)
    )
  }

  function ordinalOf(announcement: Announcement) {
    return tagOf(announcement)?.ordinal ?? 0
  }

  function restoreWorker(announcement: Announcement) {
    const tag = tagOf(announcement)
    if (!tag) return orphans.push(announcement)
    const known = tables.workers.get(tag.of)
    const worker = known ?? tables.addWorker(tag.of, announcement, tag.settings ?? {})
    tables.addPart(worker.parts.add(new WorkerPart(worker, tag.ordinal ?? 0)), announcement)
    if (!known) told.push({ ...announcement, $: tag.of })
    return undefined
  }

  function restoreRouter(announcement: Announcement) {
    const tag = tagOf(announcement)
    const worker = tables.workerParts.get(announcement.of ?? '')
    if (!tag || !worker) return orphans.push(announcement)
    const known = tables.routers.get(tag.of)
    if (known) return tables.addPart(known.parts.add(new RouterPart(known, worker)), announcement)
    const router = tables.addRouter(tag.of, announcement, worker, codecsOf(announcement))
    return tellAggregate(router, tag, announcement)
  }

  function restoreServer(announcement: Announcement) {
    const tag = tagOf(announcement)
    const worker = tables.workerParts.get(announcement.of ?? '')
    if (!tag || !worker) return orphans.push(announcement)
    const known = tables.servers.get(tag.of)
    const server = known ?? tables.addServer(tag.of, announcement, worker, tag.options ?? {})
    const part = known ? server.parts.add(new ServerPart(server, worker)) : server.parts.on(worker)!
    part.offset = tag.offset ?? 0
    return known ? tables.addPart(part, announcement) : tellAggregate(server, tag, announcement)
  }

  function tellAggregate(
    aggregate: AggregateRouter | AggregateServer,
    { id = aggregate.id }: PartTag,
    announcement: Announcement
  ) {
    const { handle: $, worker } = aggregate
    aggregate.id = id
    told.push({ ...announcement, $, of: worker.handle, members: { ...announcement.members, id } })
  }

  function restoreTransport(announcement: Announcement) {
    if (isOfPipe(announcement)) return
    const part = tables.routerParts.get(announcement.of!)!
    tables.objects.addTransport(part, announcement.$, announcement.kind)
    if (announcement.kind.endsWith('Observer')) observed.add(part)
    told.push({ ...announcement, of: part.owner.handle })
  }

  function restoreProducer(announcement: Announcement) {
    const placed = tables.objects.transports.get(announcement.of ?? '')
    if (!placed) return
    tables.objects.addProducer(placed, announcement)
    told.push(announcement)
  }

  function restoreReplica({ $, of, members }: Announcement) {
    const part = partOf(of)
    const { producers, dataProducers } = part?.owner ?? {}
    const producer =
      producers?.get(members.id as string) ?? dataProducers?.get(members.id as string)
    const source = partOf(byHandle.get(pipes.sourceOf($) ?? '')?.of)
    if (part && producer && source) replicas.add($, producer, part, source)
    else pipes.endStreamOf($)
  }

  // Of the pipes between Routers of the client, the parts of these through which they go.
  function restorePairing(transports: Announcement[]) {
    const addressOf = (ip?: string, port?: number) => `${ip} ${port}`
    const byAddress = new Map(
      transports.map(transport => [
        addressOf(tupleOf(transport).localAddress, tupleOf(transport).localPort),
        transport
      ])
    )
    for (const one of transports) {
      const other = byAddress.get(addressOf(tupleOf(one).remoteIp, tupleOf(one).remotePort))
      if (!other || !areConnected(tupleOf(one), tupleOf(other))) continue
      const [here, there] = [partOf(one.$)!, partOf(other.$)!]
      if (here.owner !== there.owner) here.owner.pipedTo.set(there.owner, here)
    }
  }

  function partOf(transport: Handle | undefined): RouterPart | undefined {
    return tables.routerParts.get(byHandle.get(transport ?? '')?.of ?? '')
  }

  function restoreConsumer(announcement: Announcement) {
    const placed = tables.objects.transports.get(announcement.of ?? '')
    if (!placed) return
    const { producerId, dataProducerId } = announcement.members
    const { producers, dataProducers } = placed.part.owner
    const producer =
      producers.get(producerId as string) ?? dataProducers.get(dataProducerId as string)
    const replica =
      producer && producer.at.part !== placed.part ? producer.replicas?.get(placed.part) : undefined
    if (replica) replicas.hold(producer!, placed.part)
    tables.objects.addConsumer(announcement.$, placed, replica)
    told.push(announcement)
  }
}

const tupleOf = ({ members }: Announcement) => members.tuple as ms.TransportTuple

/** What RTP observers observe through pipes, which only a dump tells. */
export function restoreObserved(
  { mapProducerIdObserverIds }: ms.RouterDump,
  found: Announcement[],
  part: RouterPart,
  { tables, replicas }: SessionState
) {
  const observers = new Map<unknown, HostedTransport | undefined>(
    found.map(({ $, members }) => [members.id, tables.objects.transports.get($)])
  )
  for (const { key, values } of mapProducerIdObserverIds) {
    const producer = part.owner.producers.get(key)
    if (!producer || producer.at.part === part) continue
    for (const id of values) {
      const observer = observers.get(id)
      if (observer?.part === part)
        tables.objects.addUse(producer.handle, observer, replicas.hold(producer, part))
    }
  }
}

/**
 * Those that a Router was made with, or has got since, are in its capabilities, beside what
 * mediasoup adds.
 */
function codecsOf({ members }: Announcement): ms.RouterRtpCodecCapability[] {
  const { codecs = [] } = members.rtpCapabilities as ms.RtpCapabilities
  return codecs.filter(({ mimeType }) => !/\/rtx$/i.test(mimeType)) as ms.RouterRtpCodecCapability[]
}
