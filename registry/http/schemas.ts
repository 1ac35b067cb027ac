// What requests and answers of a registry look like, for its OpenAPI document.

const string = { type: 'string' } as const
const number = { type: 'number', minimum: 0 } as const
const labels = {
  type: 'object',
  additionalProperties: string,
  description: 'Such as region and zone'
} as const

const shape = (required: Record<string, object>, optional: Record<string, object> = {}) => ({
  type: 'object',
  required: Object.keys(required),
  properties: { ...required, ...optional }
})

const load = {
  type: 'object',
  description: 'In cores',
  required: ['capacity', 'used'],
  properties: { capacity: number, used: number }
} as const

export const place = shape({ room: string, epoch: { type: 'integer', minimum: 1 } })

export const host = shape(
  {
    id: string,
    url: string,
    labels,
    state: { enum: ['up', 'draining', 'lost', 'down', 'refused'] }
  },
  { load }
)

export const hostBody = shape(
  { url: { type: 'string', format: 'uri' } },
  { labels, rooms: { type: 'array', items: place, description: 'That it has already' } }
)

export const statusBody = shape(
  { capacity: number, used: number },
  { draining: { type: 'boolean' } }
)

export const lease = shape({
  lease: { type: 'number', description: 'In ms. It is renewed by the same request' }
})

export const room = shape(
  {
    room: string,
    url: { type: 'string', description: 'Where to connect() to' },
    urls: { type: 'array', items: string, description: 'All to connect() to' },
    host: string,
    epoch: {
      type: 'integer',
      minimum: 1,
      description: 'Rises when the room gets another host: what was there before is gone'
    }
  },
  {
    region: string,
    iceServers: { type: 'array', items: { type: 'object' }, description: 'Of RTCPeerConnection' }
  }
)

export const roomBody = shape(
  {},
  {
    region: { type: 'string', description: 'Hosts of this region come first' },
    labels: { ...labels, description: 'Only hosts that have these' }
  }
)

export const hosts = shape({ hosts: { type: 'array', items: host } }, { next: string })

export const rooms = shape(
  {
    rooms: {
      type: 'array',
      items: shape({ room: string, host: string, epoch: { type: 'integer' } })
    }
  },
  { next: string }
)
