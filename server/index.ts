// Remote Mediasoup server: serves a tier over WebSocket.

export { leaf, type LeafOptions, type LeafTier } from './leaf.ts'
export type { Drain, DrainEvents } from './drain.ts'
export { serve, type ServeOptions, type Server } from './serve.ts'
export type { ServerTls } from './secure.ts'
export type { TokenOptions } from './tokens.ts'
export type { Limits } from './limits.ts'
