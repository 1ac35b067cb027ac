// What an application tells the registry: that a room is over. Other than DELETE, it may be said again,
// and by who had the room before it moved.

import { Problem, type Route } from '../../lib/http-routes.ts'
import { membersOf, roomIdOf, wrong } from '../http/values.ts'
import type { Rooms } from '../rooms/rooms.ts'

export const closedRoute = (rooms: Pick<Rooms, 'find' | 'delete'>): Route => ({
  method: 'POST',
  path: '/rooms/{id}/closed',
  scope: 'rooms',
  summary: 'The room is over, if its epoch is still this one; it may be said again',
  body: {
    type: 'object',
    properties: {
      epoch: { type: 'integer', minimum: 1, description: 'Of the place that is over. Default: any' }
    }
  },
  answers: {
    204: { description: 'It is nowhere now' },
    409: { description: 'It has another host by now, and stays' }
  },
  async answer({ params, body }) {
    const room = roomIdOf(params.id)
    const epoch = epochIn(body)
    const found = epoch === undefined ? undefined : await rooms.find(room)
    if (found && found.place.epoch !== epoch)
      throw new Problem(
        409,
        `the room ${JSON.stringify(room)} has the epoch ${found.place.epoch} now, and stays (got ${epoch})`
      )
    await rooms.delete(room)
    return { status: 204 }
  }
})

function epochIn(body: unknown = {}): number | undefined {
  const { epoch } = membersOf(body, 'the body', ['epoch'])
  if (epoch === undefined) return undefined
  if (Number.isSafeInteger(epoch) && (epoch as number) >= 1) return epoch as number
  throw wrong('epoch must be a whole number from 1 up', epoch)
}
