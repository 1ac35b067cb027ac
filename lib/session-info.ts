// What an operator is told of a session: tier.sessions, and tier.survey.

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

/** What whoever serves a tier knows of a session on it. */
export interface SessionFacts extends Omit<SessionInfo, 'age'> {
  /** In ms since 1970. */
  since: number
  /** It has no connection at the moment. */
  lost: boolean
}

/** What is known of a session now; undefined when it is not known yet, or not any more. */
export type Whose = () => SessionFacts | undefined
