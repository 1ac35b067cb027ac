// Hosts register over HTTP: they say where they are, again and again, and leave.

import { type Asked, Problem, type Route } from '../../lib/http-routes.ts'
import type { Fleet } from '../hosts/fleet.ts'
import type { Host, HostStatus } from '../host.ts'
import { type Place, type Store, StoreError } from '../store/store.ts'
import * as schemas from './schemas.ts'
import {
  hostIdOf,
  labelsOf,
  membersOf,
  numberOf,
  pageIn,
  pageOf,
  pageQuery,
  roomIdOf,
  urlOf,
  wrong
} from './values.ts'

export interface HostsRoutesOptions {
  store: Pick<Store, 'register' | 'unregister' | 'hosts'>
  fleet: Fleet
  /** In ms. */
  lease: number
}

export function hostsRoutes({ store, fleet, lease }: HostsRoutesOptions): Route[] {
  return [
    {
      method: 'PUT',
      path: '/hosts/{id}',
      scope: 'register',
      summary: 'Registers a host, and renews its lease: it is repeated each third of the lease',
      body: schemas.hostBody,
      answers: {
        200: { description: 'It is registered', schema: schemas.lease },
        403: { description: 'Somebody else has registered it' }
      },
      async answer(asked) {
        const { host, rooms } = hostIn(asked, fleet)
        fleet.check(host.url)
        await stored(store.register(host, lease, rooms))
        return { body: { lease } }
      }
    },
    {
      method: 'PUT',
      path: '/hosts/{id}/status',
      scope: 'register',
      summary: 'What an application server tells of its load; it renews the lease, too',
      body: schemas.statusBody,
      answers: {
        200: { description: 'It is known', schema: schemas.lease },
        404: { description: 'The host is not registered' },
        409: { description: 'It is no application server: its load comes over its own connection' }
      },
      async answer(asked) {
        const id = hostIdOf(asked.params.id)
        const before = await there(id)
        checkOwner(before, asked)
        if (/^wss?:/.test(before.url))
          throw new Problem(409, `${id} is a tier: its load comes over its own connection`)
        await stored(store.register({ ...before, status: statusIn(asked.body) }, lease))
        return { body: { lease } }
      }
    },
    {
      method: 'DELETE',
      path: '/hosts/{id}',
      scope: 'register',
      summary: 'Takes a host out at once: its rooms get another one when they are asked for',
      answers: { 204: { description: 'It is gone' }, 404: { description: 'It was not there' } },
      async answer(asked) {
        const id = hostIdOf(asked.params.id)
        checkOwner(await there(id), asked)
        await stored(store.unregister(id))
        return { status: 204 }
      }
    },
    {
      method: 'GET',
      path: '/hosts/{id}',
      scope: 'operate',
      summary: 'One host',
      answers: {
        200: { description: 'It is registered', schema: schemas.host },
        404: { description: 'It is not' }
      },
      answer: async ({ params }) => ({ body: told(await there(hostIdOf(params.id)), fleet) })
    },
    {
      method: 'GET',
      path: '/hosts',
      scope: 'operate',
      summary: 'The hosts, in the order of their ids',
      query: pageQuery,
      answers: { 200: { description: 'A page of them', schema: schemas.hosts } },
      async answer({ query }) {
        const { page, next } = await pageIn(fleet, pageOf(query), ({ id }) => id)
        return { body: { hosts: page.map(host => told(host, fleet)), next } }
      }
    }
  ]

  async function there(id: string): Promise<Host> {
    // One that was registered through another registry just now is not known here yet.
    const host = fleet.get(id) ?? (await stored(store.hosts())).find(host => host.id === id)
    if (host) return host
    throw new Problem(404, `no host ${id} is registered`)
  }
}

function hostIn(
  { params, body, subject: owner, operates }: Asked,
  fleet: Fleet
): { host: Host; rooms: Place[] } {
  const id = hostIdOf(params.id)
  const { url, labels, rooms = [] } = membersOf(body, 'the body', ['url', 'labels', 'rooms'])
  const before = fleet.get(id)
  if (before) checkOwner(before, { subject: owner, operates })
  if (!Array.isArray(rooms)) throw wrong('rooms must be an array of {room, epoch}', rooms)
  const status = before?.url === urlOf(url) ? before.status : undefined
  return {
    host: {
      id,
      url: urlOf(url),
      labels: labelsOf(labels),
      owner: before?.owner ?? owner,
      status
    },
    rooms: rooms.map(room => placeIn(room, id))
  }
}

function placeIn(value: unknown, host: string): Place {
  const { room, epoch = 1 } = membersOf(value, 'one of the rooms', ['room', 'epoch'])
  if (!Number.isSafeInteger(epoch) || (epoch as number) < 1)
    throw wrong('an epoch must be a whole number from 1 up', epoch)
  return { room: roomIdOf(room), host, epoch: epoch as number }
}

function statusIn(body: unknown): HostStatus {
  const members = membersOf(body, 'the body', ['capacity', 'used', 'draining'])
  const { draining = false } = members
  if (typeof draining !== 'boolean') throw wrong('draining must be true or false', draining)
  return {
    capacity: numberOf(members.capacity, 'capacity'),
    used: numberOf(members.used, 'used'),
    draining
  }
}

/** @throws Problem when a host is somebody else's */
function checkOwner(
  { id, owner }: Host,
  { subject, operates }: Pick<Asked, 'subject' | 'operates'>
) {
  if (operates || owner === undefined || owner === subject) return
  throw new Problem(403, `${id} was registered by another subject, which alone may change it`)
}

function told({ id, url, labels = {} }: Host, fleet: Fleet) {
  const load = fleet.loadOf(id)
  const known = load && { capacity: load.capacity, used: load.used }
  return { id, url, labels, state: fleet.stateOf(id) ?? 'down', load: known }
}

async function stored<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    throw new Problem(503, 'the store cannot be asked now', { 'retry-after': '1' })
  }
}
