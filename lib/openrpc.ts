// The OpenRPC document of the protocol, derived from the two models. `rpc.discover` answers with
// it.

import { type MethodRole, isAnswered, methods } from './methods.ts'
import type { Frame } from './frame.ts'
import { type TierMethod, tierMethods } from './tier-model.ts'
import { version } from './version.ts'
import type { Id } from './wire.ts'

const handle = { name: 'handle', required: true, schema: { $ref: '#/components/schemas/Handle' } }
const args = {
  name: 'arguments',
  description: "mediasoup's own arguments, one position each",
  schema: {}
}

/** @see https://spec.open-rpc.org */
export function discover() {
  return {
    openrpc: '1.3.2',
    info: {
      title: 'Mafalda',
      version,
      description:
        "mediasoup's own API as JSON-RPC 2.0 over WebSocket. PROTOCOL.md tells what a schema cannot: order, events, binary frames.",
      license: { name: 'ISC' }
    },
    methods: [
      ...[...tierMethods].map(([name, method]) => tierMethod(name, method)),
      ...[...methods].map(([name, { kind, member, role }]) => ({
        name,
        summary: summaries[role],
        paramStructure: 'by-position',
        params: kind === 'mediasoup' ? [args] : role === 'close' ? [handle] : [handle, args],
        // What is not answered is sent as a notification; sent as a request, it is answered with
        // null.
        result: result(
          isAnswered(role) ? { $ref: `#/components/schemas/${role}` } : { type: 'null' }
        ),
        externalDocs: {
          url: `https://mediasoup.org/documentation/v3/mediasoup/api/#${anchor(kind)}-${member}`
        }
      }))
    ],
    components: { schemas }
  }
}

/** Without a result, it is a notification. What a tier tells has the extension `x-told`. */
function tierMethod(name: string, { sent, told }: TierMethod) {
  const { summary, params } = (sent ?? told)!
  return {
    name,
    summary,
    paramStructure: 'by-position',
    params: [...params],
    ...(sent?.result && { result: result(sent.result) }),
    ...(told && { 'x-told': told })
  }
}

const result = (schema: object) => ({ name: 'result', schema })

// mediasoup documents what all transports, and all RTP observers, have in common only once.
function anchor(kind: string) {
  if (kind.endsWith('Transport')) return 'transport'
  if (kind.endsWith('Observer')) return 'rtpObserver'
  return kind[0]!.toLowerCase() + kind.slice(1)
}

const summaries: Record<MethodRole, string> = {
  query: "Answers with mediasoup's own result; changes nothing",
  call: "Answers with mediasoup's own result and with the live members that changed",
  create: 'Answers with the new object',
  cast: 'Is not answered',
  media: 'Is not answered; carries RTP or RTCP, which is dropped when the peer is slow',
  close: 'Closes the object, and with it all that it created'
}

const schemas = {
  Handle: {
    type: 'string',
    pattern: '^[^/]+/[0-9]+$',
    description: 'Names an object in the whole tree'
  },
  query: { description: "mediasoup's own result" },
  call: {
    type: 'object',
    properties: {
      value: { description: "mediasoup's own result, if it has one" },
      live: {
        type: 'object',
        description: 'The live members of the object that changed; null means undefined'
      }
    }
  },
  create: {
    type: 'object',
    required: ['$'],
    properties: {
      $: { $ref: '#/components/schemas/Handle' },
      kind: { type: 'string' },
      of: { $ref: '#/components/schemas/Handle' },
      appData: { type: 'object' },
      members: { type: 'object', description: 'Fixed and live members' }
    }
  }
}

let encoded: string | undefined

/** The answer to `rpc.discover`. It is long and easily asked for: all answers share one text. */
export const encodeDiscovery = (id: Id): Frame =>
  `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${(encoded ??= JSON.stringify(discover()))}}`
