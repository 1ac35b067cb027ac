// Remote Mediasoup server: serves a tier over WebSocket.

export { leaf, type LeafOptions, type LeafTier } from './leaf/leaf.ts'
export type { TurnOptions } from './leaf/turn.ts'
export type { Drain, DrainEvents } from './leaf/drain.ts'
export { serve } from './serve/serve.ts'
export type { ServeOptions, Server } from './serve/options.ts'
export type { AuditEvent, AuditFacts, AuditRecord } from './serve/audit.ts'
export type { HealthAddress } from './serve/health.ts'
export type { TrustedProxies } from './serve/client-address.ts'
export type { ServerTls } from './serve/http.ts'
export type { TokenOptions } from './serve/tokens.ts'
export type { Limits } from './serve/limits.ts'
export type { Answered, Asked, Route } from '../lib/http-routes.ts'
