// The stats of all objects of a mediasoup, gathered with nothing but its own API.

import type { EventEmitter } from 'node:events'
import type * as ms from 'mediasoup/types'

export interface ObjectStats<S> {
  id: string
  stats: S[]
}

export interface TransportStats extends ObjectStats<unknown> {
  type: ms.TransportType
  producers: ObjectStats<ms.ProducerStat>[]
  consumers: ObjectStats<ms.ConsumerStat | ms.ProducerStat>[]
  dataProducers: ObjectStats<ms.DataProducerStat>[]
  dataConsumers: ObjectStats<ms.DataConsumerStat>[]
}

export interface RouterStats {
  id: string
  transports: TransportStats[]
}

export interface WorkerStats {
  pid: number
  resourceUsage: ms.WorkerResourceUsage
  routers: RouterStats[]
}

export interface MediasoupStats {
  workers: WorkerStats[]
}

interface Parent {
  observer: EventEmitter
}

interface Node<T> {
  object: T
  children: Map<string, Set<Node<never>>>
}

const LEVELS = [
  ['newworker'],
  ['newrouter'],
  ['newtransport'],
  ['newproducer', 'newconsumer', 'newdataproducer', 'newdataconsumer']
]

/** Follows objects that are created from now on, until they are closed. */
export class StatsCollector {
  readonly #root: Node<Parent>

  constructor(mediasoup: Parent) {
    this.#root = grow(mediasoup, LEVELS)
  }

  async getStats(): Promise<MediasoupStats> {
    return { workers: await each(this.#root, 'newworker', workerStats) }
  }
}

function grow<T extends Parent>(object: T, [events = [], ...below]: string[][]): Node<T> {
  const children = new Map(events.map(event => [event, new Set<Node<never>>()]))
  for (const [event, nodes] of children) {
    object.observer.on(event, (child: Parent) => {
      const node = grow(child, below) as Node<never>
      nodes.add(node)
      child.observer.on('close', () => nodes.delete(node))
    })
  }
  return { object, children }
}

/** Leaves out objects that are closed in the meantime. */
async function each<T, S>(
  { children }: Node<unknown>,
  event: string,
  statsOf: (node: Node<T>) => Promise<S>
): Promise<S[]> {
  const settled = await Promise.allSettled([...children.get(event)!].map(node => statsOf(node)))
  return settled.filter(result => result.status === 'fulfilled').map(({ value }) => value)
}

async function workerStats(node: Node<ms.Worker>): Promise<WorkerStats> {
  return {
    pid: node.object.pid,
    resourceUsage: await node.object.getResourceUsage(),
    routers: await each(node, 'newrouter', routerStats)
  }
}

async function routerStats(node: Node<ms.Router>): Promise<RouterStats> {
  return { id: node.object.id, transports: await each(node, 'newtransport', transportStats) }
}

async function transportStats(node: Node<ms.Transport>): Promise<TransportStats> {
  return {
    ...(await objectStats(node)),
    type: node.object.type,
    producers: await each(node, 'newproducer', objectStats<ms.ProducerStat>),
    consumers: await each(node, 'newconsumer', objectStats<ms.ConsumerStat | ms.ProducerStat>),
    dataProducers: await each(node, 'newdataproducer', objectStats<ms.DataProducerStat>),
    dataConsumers: await each(node, 'newdataconsumer', objectStats<ms.DataConsumerStat>)
  }
}

async function objectStats<S>({
  object
}: Node<{ id: string; getStats(): Promise<S[]> }>): Promise<ObjectStats<S>> {
  return { id: object.id, stats: await object.getStats() }
}
