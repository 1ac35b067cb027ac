// A leaf without media: speaks the protocol, and keeps of each object what a tier above may ask
// for. Its loads are simulated.

import { randomBytes, randomUUID } from 'node:crypto'
import * as mediasoup from 'mediasoup'
import type { Announcement } from '../../lib/codec.ts'
import { describeError } from '../../lib/errors.ts'
import { type Hello, PROTOCOL } from '../../lib/hello.ts'
import type { Load, Usage } from '../../lib/load.ts'
import { type ObjectKind, digest } from '../../lib/methods.ts'
import type { SurveyEntry } from '../../lib/survey.ts'
import { SurveyViewers } from '../../lib/survey-viewers.ts'
import { type Link, type Tier, channel } from '../../lib/tier.ts'
import { version } from '../../lib/version.ts'
import {
  type Handle,
  decode,
  encodeFailure,
  encodeNotification,
  encodeResult
} from '../../lib/wire.ts'

/** What each transport and each Consumer uses of a core. */
export const SHARE = 0.002
const REPORT_MS = 1_000
// No host uses the same from one second to the next.
const JITTER_CORES = 0.05

const NOTHING = { transports: 0, producers: 0, consumers: 0 }

const supportedRtpCapabilities = mediasoup.getSupportedRtpCapabilities()
const { version: mediasoupVersion, workerBin } = mediasoup

export interface FakeObject {
  handle: Handle
  kind: ObjectKind
  parent?: FakeObject
  children: Set<FakeObject>
  members: Record<string, unknown>
  since: number
}

export class FakeLeaf implements Tier {
  readonly node = randomBytes(6).toString('base64url')
  readonly objects = new Map<Handle, FakeObject>()
  readonly #cores: number
  readonly #listeners = new Set<Link>()
  readonly #usageListeners = new Map<Link, Set<FakeObject>>()
  readonly #timer = setInterval(() => this.report(), REPORT_MS).unref()
  readonly #survey = new SurveyViewers({ look() {}, entries: () => this.#entries() })
  #serial = 0

  constructor(cores: number) {
    this.#cores = cores
  }

  close() {
    clearInterval(this.#timer)
  }

  /** Tells its load, and what its Workers use, as it does once a second. */
  report() {
    for (const [link, workers] of this.#usageListeners)
      if (workers.size) link.send(encodeNotification('tier.usage', [usagesOf(workers)]))
    for (const link of this.#listeners) link.send(encodeNotification('tier.load', [this.load]))
  }

  async open(): Promise<Link> {
    const [ours, theirs] = channel()
    const workers = new Set<FakeObject>()
    ours.on('frame', frame => {
      const { id, method, params } = decode(frame) as {
        id?: number
        method: string
        params: unknown[]
      }
      if (method === 'tier.survey') return void this.#survey.view(ours, id!, params[0])
      if (method === 'tier.load') this.#listeners.add(ours)
      if (method === 'tier.usage') this.#usageListeners.set(ours, workers)
      try {
        const result = this.#call(method, params, workers)
        if (id !== undefined) ours.send(encodeResult(id, result))
      } catch (error) {
        ours.send(encodeFailure(id ?? null, describeError(error)))
      }
    })
    ours.once('close', () => {
      this.#listeners.delete(ours)
      this.#usageListeners.delete(ours)
      for (const worker of workers) this.#remove(worker)
    })
    return theirs
  }

  get load(): Load {
    const count = (kind: ObjectKind) => this.of(kind).length
    return {
      capacity: this.#cores,
      used: Math.random() * JITTER_CORES,
      workers: count('Worker'),
      shared: 0,
      routers: count('Router'),
      consumers: count('Consumer'),
      draining: 0,
      wanted: 0
    }
  }

  /** What it tells who surveys it: Workers that are never idle, and their Routers. */
  *#entries(): Generator<SurveyEntry> {
    const { node, load } = this
    yield { id: node, of: null, kind: 'tier', tier: 'leaf', mafalda: version, load }
    for (const { handle: id } of this.of('Worker'))
      yield { id, of: node, kind: 'Worker', pid: 1, cpu: Math.random(), sessions: [] }
    for (const { handle: id, parent } of this.of('Router'))
      yield { id, of: parent!.handle, kind: 'Router', session: node, ...NOTHING }
  }

  of(kind: ObjectKind): FakeObject[] {
    return [...this.objects.values()].filter(object => object.kind === kind)
  }

  #call(method: string, [first, options, consuming]: unknown[], workers: Set<FakeObject>): unknown {
    switch (method) {
      case 'tier.hello':
        return {
          protocol: PROTOCOL,
          mafalda: version,
          mediasoup: mediasoupVersion,
          model: digest,
          node: this.node,
          workerBin,
          supportedRtpCapabilities
        } satisfies Hello
      case 'tier.load':
        return this.load
      case 'tier.usage':
        return usagesOf(workers)
      case 'tier.locate':
        return { node: this.node, pid: process.pid, mediasoup: mediasoupVersion }
      case 'tier.pipeListenInfo':
        return { protocol: 'udp', ip: '127.0.0.1' }
      case 'mediasoup.createWorker': {
        const worker = this.#create('Worker')
        workers.add(worker)
        return announce(worker)
      }
    }
    const target = this.objects.get(first as Handle)
    if (method === 'tier.openPipe') {
      const transport = this.#create('PipeTransport', target, membersOf('PipeTransport'))
      const params = [transport.handle, consuming]
      const consumer = consuming && this.#call('PipeTransport.consume', params, workers)
      return { ...announce(transport), consumer }
    }
    const [, member] = method.split('.') as [string, string]
    if (member === 'close') return target && this.#remove(target)
    if (!target) throw new mediasoup.errors.NotFoundError(`${first} not found`)
    const [, created] = /^create(\w+)$/.exec(member) ?? []
    if (created) return announce(this.#create(created as ObjectKind, target, membersOf(created)))
    switch (member) {
      case 'produce':
        return announce(
          this.#create('Producer', target, {
            paused: false,
            type: 'simple',
            ...(options as object)
          })
        )
      case 'consume':
        return announce(
          this.#create(
            'Consumer',
            target,
            consumerMembers(options as { producerId: string }, target.parent!)
          )
        )
      case 'dump':
        return {
          mapProducerIdConsumerIds: descendants(target, 'Producer').map(({ members }) => ({
            key: members.id,
            values: []
          })),
          mapDataProducerIdDataConsumerIds: []
        }
      case 'pipeToRouter':
        return { value: {} }
      case 'getResourceUsage':
        return usageOf(target)
      default:
        return {}
    }
  }

  #create(
    kind: ObjectKind,
    parent?: FakeObject,
    members: Record<string, unknown> = {}
  ): FakeObject {
    const object: FakeObject = {
      handle: `${this.node}/${++this.#serial}`,
      kind,
      parent,
      children: new Set(),
      members: { id: randomUUID(), ...members },
      since: performance.now()
    }
    this.objects.set(object.handle, object)
    parent?.children.add(object)
    return object
  }

  #remove(object: FakeObject) {
    for (const child of object.children) this.#remove(child)
    object.parent?.children.delete(object)
    this.objects.delete(object.handle)
  }
}

/** All that is of a kind under an object. */
export function descendants({ children }: FakeObject, kind: ObjectKind): FakeObject[] {
  return [...children].flatMap(child => [
    ...(child.kind === kind ? [child] : []),
    ...descendants(child, kind)
  ])
}

const announce = ({ handle, kind, parent, members }: FakeObject): Announcement => ({
  $: handle,
  kind,
  ...(parent && { of: parent.handle }),
  members
})

function membersOf(kind: string): Record<string, unknown> {
  if (kind === 'Router') return { rtpCapabilities: supportedRtpCapabilities }
  return kind === 'PipeTransport'
    ? { tuple: { protocol: 'udp', localAddress: '127.0.0.1', localPort: 0 } }
    : {}
}

function consumerMembers({ producerId }: { producerId: string }, router: FakeObject) {
  const producer = descendants(router, 'Producer').find(({ members }) => members.id === producerId)
  if (!producer)
    throw new mediasoup.errors.NotFoundError(`Producer with id "${producerId}" not found`)
  const { kind, rtpParameters } = producer.members
  return { producerId, kind, rtpParameters, paused: false, producerPaused: false, type: 'simple' }
}

const usersOf = (worker: FakeObject) =>
  [...worker.children].flatMap(router =>
    [...router.children].flatMap(transport => [transport, ...descendants(transport, 'Consumer')])
  )

/** As if each transport and Consumer had used its share since it was made. */
function usageOf(worker: FakeObject) {
  const now = performance.now()
  return {
    ru_utime: usersOf(worker).reduce((time, { since }) => time + (now - since) * SHARE, 0),
    ru_stime: 0
  }
}

const usagesOf = (workers: Set<FakeObject>): Usage =>
  Object.fromEntries([...workers].map(worker => [worker.handle, usersOf(worker).length * SHARE]))
