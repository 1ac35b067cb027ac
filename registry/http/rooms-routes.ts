// Rooms over HTTP: applications ask where a room is, and get the URLs to connect to.

import { type Answered, Problem, type Route } from '../../lib/http-routes.ts'
import type { Fleet } from '../hosts/fleet.ts'
import type { Wanted } from '../rooms/candidates.ts'
import type { Found, Rooms } from '../rooms/rooms.ts'
import * as schemas from './schemas.ts'
import { labelsOf, membersOf, pageIn, pageOf, pageQuery, roomIdOf, wrong } from './values.ts'

export interface RoomsRoutesOptions {
  rooms: Rooms
  fleet: Pick<Fleet, 'iceServersOf'>
}

const NO_HOST = 'No host takes new rooms, or the store is away: Retry-After says when to ask again'

export function roomsRoutes({ rooms, fleet }: RoomsRoutesOptions): Route[] {
  const isThere = { description: 'Where it is', schema: schemas.room }
  const isNew = { description: 'Where it is from now on', schema: schemas.room }
  const isNowhere = { description: 'It is nowhere' }
  return [
    {
      method: 'PUT',
      path: '/rooms/{id}',
      scope: 'rooms',
      summary: 'Where a room is, or is to be: the same for all who ask, until its host is gone',
      body: schemas.roomBody,
      answers: { 200: isThere, 201: isNew, 503: { description: NO_HOST } },
      answer: async ({ params, body }) =>
        answerOf(await rooms.assign(roomIdOf(params.id), wantedIn(body)))
    },
    {
      method: 'POST',
      path: '/rooms',
      scope: 'rooms',
      summary: 'Makes a room with a new id',
      body: schemas.roomBody,
      answers: { 201: isNew, 503: { description: NO_HOST } },
      async answer({ body }) {
        const answered = await answerOf(await rooms.create(wantedIn(body)))
        const { room } = answered.body as { room: string }
        return { ...answered, headers: { location: `/rooms/${room}` } }
      }
    },
    {
      method: 'GET',
      path: '/rooms/{id}',
      scope: 'rooms',
      summary: 'Where a room is',
      answers: { 200: isThere, 404: isNowhere },
      async answer({ params }) {
        const room = roomIdOf(params.id)
        const found = await rooms.find(room)
        if (!found) throw nowhere(room)
        return answerOf(found)
      }
    },
    {
      method: 'DELETE',
      path: '/rooms/{id}',
      scope: 'rooms',
      summary: 'The room is over',
      answers: { 204: { description: 'It is nowhere now' }, 404: isNowhere },
      async answer({ params }) {
        const room = roomIdOf(params.id)
        if (!(await rooms.delete(room))) throw nowhere(room)
        return { status: 204 }
      }
    },
    {
      method: 'GET',
      path: '/rooms',
      scope: 'rooms',
      summary: 'The rooms, in the order of their ids',
      query: pageQuery,
      answers: { 200: { description: 'A page of them', schema: schemas.rooms } },
      async answer({ query }) {
        const { page, next } = await pageIn(rooms.places(), pageOf(query), ({ room }) => room)
        return {
          body: { rooms: page.map(({ room, host, epoch }) => ({ room, host, epoch })), next }
        }
      }
    }
  ]

  async function answerOf({ place, host }: Found): Promise<Answered> {
    const { room, epoch, isNew } = place
    const { id, url, labels } = host
    const iceServers = await fleet.iceServersOf(host)
    const body = { room, url, urls: [url], host: id, region: labels?.region, epoch, iceServers }
    return { status: isNew ? 201 : 200, body }
  }
}

const nowhere = (room: string) =>
  new Problem(404, `the room ${JSON.stringify(room)} is nowhere: PUT gives it a place`)

function wantedIn(body: unknown = {}): Wanted {
  const { region, labels } = membersOf(body, 'the body', ['region', 'labels'])
  if (region !== undefined && typeof region !== 'string')
    throw wrong('region must be a string', region)
  return { region, labels: labelsOf(labels) }
}
