// What a client and the run tell each other.

export type ClientMessage =
  /** RTP flows from a Producer to a Consumer, and through these Workers. */
  | { tell: 'flow'; id: string; pids: number[] }
  /** The application ends it. */
  | { tell: 'over'; id: string }
  /** It ended, and not by the application; or nothing arrives any more. */
  | { tell: 'broken'; id: string; why: string }
  /** Something is as it was before it was lost; flows and rooms after this flow broke. */
  | { tell: 'recovered'; what: 'connection' | 'flow' | 'room'; ms: number; after?: string }
  | { tell: 'wrong'; why: string }
  /** Nothing is under way, and all was compared. */
  | { tell: 'quiet' }

export type Order = 'quiet' | 'close'
