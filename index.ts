// The algebra: everything the project ships is an expression of these functions.

export {
  AccessError,
  ConnectionError,
  DrainingError,
  IncompatibleError,
  LimitError,
  ProtocolError,
  SCOPES,
  SessionError,
  UnknownOutcomeError
} from './lib/index.ts'
export type {
  DrainOptions,
  DrainState,
  Frame,
  Link,
  LinkEvents,
  Load,
  Location,
  OpenOptions,
  Pem,
  Scope,
  Tier,
  Tls
} from './lib/index.ts'
export { RemoteMediasoupClient, client, connect, remote } from './client/index.ts'
export type {
  ClientOptions,
  Connection,
  ConnectionEvents,
  DrainingHost,
  Locatable,
  MediasoupStats,
  ObjectStats,
  RemoteMediasoup,
  RemoteMediasoupClientEvents,
  RemoteMediasoupClientOptions,
  RemoteOptions,
  RouterStats,
  Token,
  TransportStats,
  Urls,
  WorkerStats
} from './client/index.ts'
export { leaf, serve } from './server/index.ts'
export type {
  Drain,
  DrainEvents,
  LeafOptions,
  LeafTier,
  Limits,
  ServeOptions,
  Server,
  ServerTls,
  TokenOptions
} from './server/index.ts'
export { horizontal, vertical } from './proxy/index.ts'
export type {
  Horizontal,
  HorizontalEvents,
  HorizontalOptions,
  VerticalOptions
} from './proxy/index.ts'
