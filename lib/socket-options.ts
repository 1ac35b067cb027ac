// Bounds of a connection, the same on both ends. Apart from socket.ts, so that who imports our
// types needs none of `ws`.

export interface SocketOptions {
  /**
   * The longest silence of the peer, in ms, before the connection counts as lost. It is pinged
   * three times in that time. Default 10 s.
   */
  silence?: number
  /**
   * The largest frame that is accepted, in bytes; the peer is told, and sends no larger one.
   * Default 9 MiB.
   */
  maxPayload?: number
  /**
   * How many bytes may wait for the peer, or for its word that they have arrived. Calls and
   * messages are refused with a LimitError when they fill three quarters of it; above it, the
   * session ends. Default 64 MiB, for a client 256 MiB.
   */
  maxBacklog?: number
}

const MiB = 1024 * 1024

// mediasoup's own messages have at most 8 MiB; ours add a header, and JSON's marks.
export const socketDefaults = {
  silence: 10_000,
  maxPayload: 9 * MiB,
  maxBacklog: 64 * MiB
} satisfies SocketOptions

// The memory is the application's own, and so is what fills it: a server that is started again
// makes all of its calls at once.
export const CLIENT_MAX_BACKLOG = 256 * MiB

/** What a peer takes that has not said it. */
export const UNSTATED_MAX_PAYLOAD = 4 * MiB
