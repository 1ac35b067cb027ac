// A program: calls over symbolic references, so that it can be run on any mediasoup, and shrunk.
// Which calls there are is in calls.ts.

/** What can be picked: objects of one kind, or of several that have a word in common. */
export type Group =
  | 'Worker'
  | 'WebRtcServer'
  | 'Router'
  | 'Transport'
  | 'WebRtcTransport'
  | 'PlainTransport'
  | 'PipeTransport'
  | 'DirectTransport'
  | 'Producer'
  | 'Consumer'
  | 'DataProducer'
  | 'DataConsumer'
  | 'RtpObserver'

/** Stands for an object that exists when the call is made, or for a member of it. */
export interface Ref {
  ref: Group
  /** Modulo the number of candidates. */
  pick: number
  /** Whether a closed object is meant. */
  closed?: boolean
  /** Of those that the object of the call shares a Router, or a Worker, with. */
  near?: 'Router' | 'Worker'
  /** The member of the object that is meant, instead of the object. */
  get?: 'id' | 'rtpCapabilities'
}

export interface Bytes {
  bytes: string
}

export type Template =
  | undefined
  | null
  | boolean
  | number
  | string
  | Ref
  | Bytes
  | Template[]
  | { [key: string]: Template }

/** A call, or the assignment of a property when the member starts with `=`. */
export interface Command {
  on: Ref
  member: string
  args: Template[]
}

export type Program = Command[]

export const isRef = (value: object): value is Ref => 'ref' in value
export const isBytes = (value: object): value is Bytes => 'bytes' in value

export const includes = (group: Group, kind: string): boolean =>
  kind === group ||
  (group === 'Transport' && kind.endsWith('Transport')) ||
  (group === 'RtpObserver' && kind.endsWith('Observer'))

/** A program as its reader would write it, one call in each line. */
export const formatProgram = (program: Program): string =>
  program.map(command => `  ${formatCommand(command)}`).join('\n')

export function formatCommand({ on, member, args }: Command): string {
  const target = formatRef(on)
  if (member.startsWith('=')) return `${target}.${member.slice(1)} = ${formatTemplate(args[0])}`
  return `${target}.${member}(${args.map(formatTemplate).join(', ')})`
}

function formatTemplate(template: Template): string {
  if (typeof template === 'string') return `'${template}'`
  if (typeof template !== 'object' || template === null) return String(template)
  if (Array.isArray(template)) return `[${template.map(formatTemplate).join(', ')}]`
  if (isRef(template)) return formatRef(template)
  if (isBytes(template)) return `Buffer.from('${template.bytes}', 'hex')`
  const members = Object.entries(template as { [key: string]: Template })
  return members.length
    ? `{ ${members.map(([key, value]) => `${key}: ${formatTemplate(value)}`).join(', ')} }`
    : '{}'
}

function formatRef({ ref, pick, closed, near, get }: Ref): string {
  return `<${closed ? 'closed ' : ''}${ref} ${pick}${near ? ` of the ${near}` : ''}>${get ? `.${get}` : ''}`
}
