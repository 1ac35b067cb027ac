// What an operator is told of a session: tier.sessions.

export interface SessionInfo {
  /** Random, and only for tier.kick. */
  id: string
  /** That of its token or certificate. */
  subject: string | undefined
  address: string
  /** In ms. */
  age: number
  /** How many objects of mediasoup it has. */
  objects: number
}
