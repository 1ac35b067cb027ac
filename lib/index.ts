// What both ends share.

export type { DrainOptions, DrainState } from './drain.ts'
export type { Frame, Link, Tier } from './tier.ts'
export { pair } from './tier.ts'
export { model, type Interface, type Kind } from './model.ts'
export { digest, type Method, type Notification, type Params, type Result } from './methods.ts'
export type { Failure, Handle, Id, Message } from './wire.ts'
export { AccessError, ConnectionError, DrainingError, IncompatibleError, LimitError, ProtocolError } from './errors.ts'
export type { Pem, Tls } from './tls.ts'
export { SCOPES, type Scope } from './scopes.ts'
