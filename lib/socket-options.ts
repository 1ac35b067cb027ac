// Bounds of a connection, the same on both ends. Apart from socket.ts, so that who imports our types needs none of `ws`.

export interface SocketOptions {
  /** The longest silence of the peer, in ms, before the connection counts as lost. It is pinged three times in that time. Default 10 s. */
  silence?: number
  /** The largest frame that is accepted, in bytes. Default 4 MiB. */
  maxPayload?: number
  /** How many bytes may wait for a peer that reads too slowly, before the connection is cut. Default 64 MiB. */
  maxBacklog?: number
}

export const socketDefaults = { silence: 10_000, maxPayload: 4 * 1024 * 1024, maxBacklog: 64 * 1024 * 1024 } satisfies SocketOptions
