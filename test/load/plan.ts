// What each client process does, as it is told when it starts.

/**
 * A call, or to join in the place of another one, or a session in the place of another one; or a
 * message to a process that asks a Worker before it answers.
 */
export const WHATS = ['call', 'join', 'session', 'echo'] as const
export type What = (typeof WHATS)[number]

/** What has not come by then is missing, also on a machine that is busy. */
export const MISSING_SECONDS = 60

export interface Plan {
  url: string
  seed: number
  /** The objects of each session. */
  sessions: number[]
  /** What is due in a second. */
  rates: Record<What, number>
  /** One of how many sessions has connections that break, and after how long, in ms. */
  breaking: { oneOf: number; least: number; most: number }
}

export interface Amounts {
  seed: number
  sessions: number
  objects: number
  clients: number
}

/** In a second, of all clients together, but for echoes. */
export const RATES: Record<What, number> = { call: 500, join: 4, session: 1, echo: 100 }

// A session is open before it breaks for the first time.
const BREAKING = { oneOf: 10, least: 5_000, most: 30_000 }

export function plansOf(url: string, { seed, sessions, objects, clients }: Amounts): Plan[] {
  const { call, join, session, echo } = RATES
  const rates = { call: call / clients, join: join / clients, session: session / clients, echo }
  const all = sharesOf(objects, sessions)
  return sharesOf(sessions, clients).map((count, i) => ({
    url,
    seed: seed + i,
    sessions: all.splice(0, count),
    rates,
    breaking: BREAKING
  }))
}

/** Whole numbers that differ by 1 at most. */
const sharesOf = (total: number, count: number) =>
  Array.from({ length: count }, (_, i) => Math.floor((total + i) / count))
