// Remote Mediasoup client: mediasoup's own API on a tier that is somewhere else.

import { type ClientOptions, type RemoteMediasoup, client } from './client.ts'
import { type RemoteOptions, type Urls, remote } from './remote.ts'

export * from '../lib/index.ts'
export type { Found, Wanted } from '../lib/borrow.ts'
export { client, remote }
export type {
  ClientOptions,
  Connection,
  ConnectionEvents,
  DrainingHost,
  Locatable,
  RemoteMediasoup
} from './client.ts'
export {
  RemoteMediasoupClient,
  type RemoteMediasoupClientEvents,
  type RemoteMediasoupClientOptions
} from './remote-mediasoup-client.ts'
export type { LiveSurvey, LiveSurveyEvents } from './live-survey.ts'
export type { Token } from './credentials.ts'
export type { RemoteOptions, Urls } from './remote.ts'
export type {
  MediasoupStats,
  ObjectStats,
  RouterStats,
  TransportStats,
  WorkerStats
} from './stats.ts'

/**
 * Connects to a tier: the object is used as `import * as mediasoup from 'mediasoup'` would be.
 *
 * @param url `ws://host:port` or `wss://host:port`; several of them are proxies over the same
 *   tiers, and take over from each other
 * @throws TypeError when the URL is not one of a WebSocket; ConnectionError when the tier cannot be
 *   reached; IncompatibleError when it describes mediasoup's API in another way.
 * @example
 * ```ts
 * const mediasoup = await connect('ws://host:4000')
 * const worker = await mediasoup.createWorker()
 * const router = await worker.createRouter({ mediaCodecs })
 * ```
 */
export const connect = async (
  url: Urls,
  options: ClientOptions & RemoteOptions = {}
): Promise<RemoteMediasoup> => client(remote(url, options), options)
