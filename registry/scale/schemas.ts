// What `/scale` is asked, and answers, for the OpenAPI document.

const integer = { type: 'integer', minimum: 0 } as const
const string = { type: 'string' } as const

export const wanted = {
  type: 'object',
  required: ['hosts', 'now', 'starting', 'draining', 'cores', 'reason', 'hpaHosts'],
  properties: {
    hosts: integer,
    now: integer,
    starting: integer,
    draining: integer,
    cores: { type: 'number', description: 'Needed and not there; negative: too many' },
    reason: string,
    hpaHosts: { ...integer, description: 'For a HorizontalPodAutoscaler: beyond its tolerance' },
    warmup: { type: 'number', description: 'How long the last hosts took to be there, in ms' }
  }
} as const

/** FleetAutoscaleReview: the request as Agones sends it, and the response. */
export const review = {
  type: 'object',
  required: ['request'],
  properties: {
    request: {
      type: 'object',
      required: ['uid', 'status'],
      properties: {
        uid: string,
        status: { type: 'object', required: ['replicas'], properties: { replicas: integer } }
      }
    },
    response: {
      type: 'object',
      required: ['uid', 'scale', 'replicas'],
      properties: { uid: string, scale: { type: 'boolean' }, replicas: integer }
    }
  }
} as const
