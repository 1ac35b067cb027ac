// What a tier has beside mediasoup's API, described once: its own methods and notifications.
// Scopes, the OpenRPC document and what a proxy does with each are derived from this table, and a
// test compares PROTOCOL.md with it.

import { SURVEY_DETAILS } from './survey.ts'

/**
 * - observe: to ask (dump, getStats, tier.locate, …)
 * - create:  to make objects, and to change, use and close them
 * - operate: what is about the tier and not about the session's own objects (tier.load)
 *
 * And of a registry, over HTTP:
 *
 * - register: to add hosts
 * - rooms:    to ask for rooms
 */
export const SCOPES = ['observe', 'create', 'operate', 'register', 'rooms'] as const

export type Scope = (typeof SCOPES)[number]

/** A JSON schema. */
export type Schema = Readonly<Record<string, unknown>>

export interface Param {
  name: string
  required?: boolean
  schema: Schema
}

/**
 * How a proxy treats a method.
 *
 * - link:     it belongs to the connection, and no session sees it
 * - own:      the proxy answers
 * - byHandle: it goes to the tier that the handle names
 * - each:     it goes to every tier below
 * - search:   it goes to the tiers below until one of them knows
 * - server:   whoever serves the tier answers, and the tier does not see it
 * - host:     it is about one host: a tier over one passes it on, a tier over several refuses it
 */
export type InProxy = 'link' | 'own' | 'byHandle' | 'each' | 'search' | 'server' | 'host'

/** What a client sends. */
interface Sent {
  summary: string
  /** What a token must allow. Default: whoever may come in may do it. */
  scope?: Scope
  /** How many messages it counts as, where a session has a rate. Default 1. */
  cost?: number
  params: readonly Param[]
  /** What is answered. Without it, this is a notification. */
  result?: Schema
  inProxy: InProxy
}

/** What a tier tells. */
export interface Told {
  summary: string
  params: readonly Param[]
}

export interface TierMethod {
  sent?: Sent
  told?: Told
}

const string = { type: 'string' } as const
const number = { type: 'number' } as const
const integer = { type: 'integer', minimum: 0 } as const
const boolean = { type: 'boolean' } as const
const strings = { type: 'array', items: string } as const
const handle = { $ref: '#/components/schemas/Handle' } as const
const object = (
  properties: Record<string, Schema>,
  required: readonly string[] = Object.keys(properties)
) => ({ type: 'object', required, properties })
/** An object of which some members may be left out. */
const shape = (required: Record<string, Schema>, optional: Record<string, Schema>) =>
  object({ ...required, ...optional }, Object.keys(required))
const param = (name: string, schema: Schema, required = false): Param => ({
  name,
  required,
  schema
})

const load = shape(
  {
    capacity: number,
    used: number,
    workers: integer,
    shared: integer,
    routers: integer,
    consumers: integer,
    draining: integer
  },
  { wanted: number }
)
const drainState = shape(
  { draining: boolean, workers: integer, routers: integer, consumers: integer },
  { deadline: number, ended: { enum: ['empty', 'deadline', 'cancelled'] } }
)
const session = object(
  { id: string, subject: string, address: string, age: number, objects: integer },
  ['id', 'address', 'age', 'objects']
)
const usage = {
  type: 'object',
  additionalProperties: number,
  description: 'Cores by the handle of a Worker'
}
const members = { type: 'object' } as const
const entry = {
  type: 'array',
  minItems: 4,
  items: [handle, string, { oneOf: [handle, { type: 'null' }] }, members, members],
  description: 'Handle, kind, parent, live members, and the fixed members that were asked for'
}
const frames = {
  oneOf: [integer, { type: 'null' }],
  description: 'A number of frames; null from an end that has forgotten'
}

const wanted = shape({}, { producerId: string, dataProducerId: string })
const found = shape(
  { node: string, type: string, paused: boolean },
  {
    kind: { enum: ['audio', 'video'] },
    rtpParameters: { type: 'object' },
    consumableRtpParameters: { type: 'object' },
    sctpStreamParameters: { type: 'object' },
    label: string,
    protocol: string,
    router: handle
  }
)
const opening = shape(
  { session: string, secret: string, received: frames },
  { resume: boolean, maxPayload: integer, entry: string, realm: string }
)
const draining = shape(
  { node: string, workers: { type: 'array', items: handle } },
  { deadline: number, cancelled: boolean }
)
const recalled = shape(
  { id: { type: ['string', 'number'] }, entries: { type: 'array', items: entry } },
  { done: strings }
)
const acknowledgement = {
  summary: 'Says how many frames have arrived',
  params: [param('received', integer, true)]
} as const

const view = { detail: { enum: SURVEY_DETAILS }, under: string, limit: integer } as const
const surveyOptions = shape(
  {},
  {
    ...view,
    also: { type: 'array', maxItems: 16, items: shape({}, view) },
    most: integer,
    subscribe: boolean
  }
)
const surveyEntry = {
  type: 'object',
  required: ['id', 'of', 'kind'],
  properties: { id: string, of: { type: ['string', 'null'] }, kind: string }
} as const
const surveyEntries = { type: 'array', items: surveyEntry } as const

export const tierModel = {
  'tier.open': {
    sent: {
      summary: 'Says which session a connection carries: its first frame',
      params: [param('opening', opening, true)],
      result: shape({ received: frames, grace: number }, { returns: boolean, maxPayload: integer }),
      inProxy: 'link'
    }
  },
  'tier.ack': {
    sent: { ...acknowledgement, inProxy: 'link' },
    told: acknowledgement
  },
  'tier.authenticate': {
    sent: {
      summary: 'Says who is there, or renews the token',
      params: [param('credentials', object({ token: string }), true)],
      result: object({ subject: string, scopes: strings, expires: number }),
      inProxy: 'link'
    }
  },
  'tier.hello': {
    sent: {
      summary: 'What the tier says of itself',
      params: [
        param(
          'hello',
          object({ protocol: string, model: string, via: { ...strings, maxItems: 64 } }, [])
        )
      ],
      result: object(
        {
          protocol: string,
          mafalda: string,
          mediasoup: string,
          model: string,
          node: string,
          workerBin: string,
          supportedRtpCapabilities: { type: 'object' }
        },
        ['protocol', 'mafalda', 'mediasoup', 'model', 'node', 'supportedRtpCapabilities']
      ),
      inProxy: 'own'
    }
  },
  'tier.log': {
    sent: {
      summary: "Asks for what mediasoup logs about the session's Workers; an empty list ends it",
      params: [
        param('levels', { type: 'array', items: { enum: ['debug', 'warn', 'error'] } }, true)
      ],
      inProxy: 'each'
    },
    told: {
      summary: "What mediasoup logs about the session's Workers",
      params: [
        param('level', string, true),
        param('namespace', string, true),
        param('message', string, true)
      ]
    }
  },
  'tier.locate': {
    sent: {
      summary: 'Where an object is: which leaf, and which Worker there',
      scope: 'observe',
      params: [param('handle', handle, true)],
      result: shape({ node: string, pid: integer, mediasoup: string }, { router: handle }),
      inProxy: 'byHandle'
    }
  },
  'tier.find': {
    sent: {
      summary: 'What a Producer or DataProducer of another session of the realm is, and where',
      scope: 'observe',
      params: [param('wanted', wanted, true)],
      result: found,
      inProxy: 'search'
    }
  },
  'tier.search': {
    sent: {
      summary: 'The same, for a tier above and the realm of one of its sessions',
      scope: 'operate',
      params: [param('wanted', shape({}, { ...wanted.properties, realm: string }), true)],
      result: found,
      inProxy: 'search'
    }
  },
  'tier.borrow': {
    sent: {
      summary: 'The same, and a handle of its Router, from which the session may pipe',
      scope: 'create',
      params: [param('wanted', wanted, true)],
      result: { ...found, required: [...found.required, 'router'] },
      inProxy: 'search'
    }
  },
  'tier.pipeListenInfo': {
    sent: {
      summary: 'Where the host of an object listens to pipes from other hosts',
      scope: 'observe',
      params: [param('handle', handle, true)],
      result: object({ protocol: string, ip: string, loopback: string }, ['protocol', 'ip']),
      inProxy: 'byHandle'
    }
  },
  'tier.iceServers': {
    sent: {
      summary:
        'What participants need to use the TURN server beside the host of an object, or without one, of the host',
      scope: 'create',
      params: [param('handle', handle)],
      result: {
        type: 'array',
        items: object({ urls: strings, username: string, credential: string })
      },
      inProxy: 'byHandle'
    }
  },
  'tier.openPipe': {
    sent: {
      summary:
        'Makes the end of a pipe on a Router, where its host listens to pipes from other hosts, and on it the Consumer of what is to cross',
      scope: 'operate',
      cost: 2,
      params: [
        param('handle', handle, true),
        param('transport', { type: 'object' }, true),
        param('consumer', {
          ...object({ producerId: string, dataProducerId: string }, []),
          description: 'Options of consume() or consumeData()'
        })
      ],
      result: shape(
        { $: string, kind: string, of: handle, members },
        { consumer: { type: 'object' }, loopback: string }
      ),
      inProxy: 'byHandle'
    }
  },
  'tier.allowPeer': {
    sent: {
      summary:
        'Lets a PipeTransport be connected to an address that the host denies its clients: the other end of a pipe between hosts',
      scope: 'operate',
      params: [
        param('handle', handle, true),
        param('peer', object({ ip: string, port: integer }), true)
      ],
      result: { type: 'object' },
      inProxy: 'byHandle'
    }
  },
  'tier.load': {
    sent: {
      summary: 'The load of the tier, which it then tells whenever it changes',
      scope: 'operate',
      params: [param('options', object({ subscribe: boolean }, []))],
      result: load,
      inProxy: 'own'
    },
    told: {
      summary: 'The load of the tier, at most once a second',
      params: [param('load', load, true)]
    }
  },
  'tier.survey': {
    sent: {
      summary: 'What there is in the tree below, of all sessions, and then what changes',
      scope: 'operate',
      cost: 16,
      params: [param('options', surveyOptions)],
      result: object({ at: number, entries: surveyEntries }),
      inProxy: 'own'
    },
    told: {
      summary: 'What has changed in what was asked for, at most once a second',
      params: [
        param('changes', object({ at: number, changed: surveyEntries, gone: strings }), true)
      ]
    }
  },
  'tier.usage': {
    sent: {
      summary:
        "How many cores the session's Workers use, which the tier then tells whenever it changes",
      scope: 'observe',
      params: [],
      result: usage,
      inProxy: 'each'
    },
    told: {
      summary: 'What has changed, at most once a second',
      params: [param('usage', usage, true)]
    }
  },
  'tier.drain': {
    sent: {
      summary:
        'Lets the host end once it is empty, or at a deadline: it takes no new Workers and Routers',
      scope: 'operate',
      params: [param('options', object({ deadline: number, cancel: boolean }, []))],
      result: drainState,
      inProxy: 'host'
    },
    told: {
      summary: 'What is left on the host, to whoever asked it to drain',
      params: [param('state', drainState, true)]
    }
  },
  'tier.sessions': {
    sent: {
      summary: 'Which sessions there are on this tier; ages in ms',
      scope: 'operate',
      params: [],
      result: object({ sessions: { type: 'array', items: session } }),
      inProxy: 'server'
    }
  },
  'tier.kick': {
    sent: {
      summary: 'Ends the sessions of a subject, or one by its id, but not the one that asks',
      scope: 'operate',
      params: [param('which', object({ subject: string, id: string }, []), true)],
      result: object({ count: integer }),
      inProxy: 'server'
    }
  },
  'tier.draining': {
    told: {
      summary: 'A host of the session begins to drain, has another deadline, or was cancelled',
      params: [param('draining', draining, true)]
    }
  },
  'tier.forgot': {
    told: {
      summary: 'Calls to these nodes may be lost; without nodes, to all',
      params: [param('forgot', object({ nodes: strings }, []))]
    }
  },
  'tier.recall': {
    sent: {
      summary: 'Asks for all objects on these nodes, after they were forgotten',
      cost: 16,
      params: [param('options', object({ nodes: strings, members: strings }, ['nodes']), true)],
      result: object({ count: integer }),
      inProxy: 'own'
    }
  },
  'tier.recalled': {
    told: {
      summary: 'A part of what there is, parents first, and the nodes of which all was told',
      params: [param('recalled', recalled, true)]
    }
  },
  'tier.nodes': {
    told: {
      summary: 'Nodes on which the session has what no handle of the client names',
      params: [param('nodes', strings, true)]
    }
  },
  'rpc.discover': {
    sent: {
      summary: 'The OpenRPC document of the tier',
      scope: undefined,
      cost: 32,
      params: [],
      result: { type: 'object' },
      inProxy: 'own'
    }
  }
} as const satisfies Record<string, TierMethod>

/** Each by its name. */
export const tierMethods: ReadonlyMap<string, TierMethod> = new Map(Object.entries(tierModel))

/** The methods that a proxy answers itself. */
export type OwnMethod = {
  [M in keyof typeof tierModel]: (typeof tierModel)[M] extends { sent: { inProxy: 'own' } }
    ? M
    : never
}[keyof typeof tierModel]

/** How a proxy treats a method; undefined for mediasoup's. */
export const inProxyOf = (method: string): InProxy | undefined =>
  tierMethods.get(method)?.sent?.inProxy

/** Whether a method is the tier's own, and not mediasoup's: also one that is not known. */
export const isOfTier = (method: string) => method.startsWith('tier.') || tierMethods.has(method)
