// Waits, without sleeping, until nothing more happens because of a call.

import type { Subject, World } from './world.ts'

const MAX_MS = 5_000

// An answer may overtake events that came before it by one turn of the event loop of a leaf, so one
// round without news is not enough.
const ROUNDS = 2

/** Calls without effects. */
const QUERIES = new Set(['dump', 'getStats', 'getBufferedAmount', 'getResourceUsage', 'canConsume'])

/** Calls with effects beyond pipes, which may come after the answer. */
const CROSSING = new Set(['close', 'kill', 'pause', 'resume', 'send'])

/**
 * How many rounds without news prove that all effects of a call have arrived.
 *
 * @param hops over how many pipes of the tier's own that may go
 */
export function roundsAfter(member: string | undefined, hops: number): number {
  if (member && QUERIES.has(member)) return 0
  return !member || CROSSING.has(member) ? ROUNDS * (hops + 1) : ROUNDS
}

const turn = () => new Promise(resolve => setImmediate(resolve))

/**
 * Asks each Worker until there was no news for some rounds. The effects on a Worker are on their
 * way when it answers, and their effects on another Worker are awaited before the next round.
 */
export async function quiesce(world: World, rounds: number): Promise<void> {
  const deadline = performance.now() + MAX_MS
  for (let quiet = 0; quiet < rounds || isPending(world); ) {
    const { count } = world
    await Promise.all(
      workers(world)
        .filter(({ thing }) => !thing.closed)
        .map(ask)
    )
    await turn()
    quiet = world.count === count ? quiet + 1 : 0
    if (performance.now() > deadline)
      return world.note(world.subjects[0]!, ['it did not become quiet'])
  }
}

const workers = (world: World) => world.subjects.filter(({ kind }) => kind === 'Worker')

async function ask({ thing }: Subject) {
  // It died in the meantime.
  await (thing.getResourceUsage as () => Promise<unknown>)().catch(() => {})
}

// A process ends when the system says so, and both ends of a pipe on this machine find each other
// soon.
const isPending = ({ subjects }: World) =>
  subjects.some(subject => isDying(subject) || isConnecting(subject))

const isDying = ({ kind, thing }: Subject) =>
  kind === 'Worker' && thing.closed && !thing.subprocessClosed

function isConnecting({ piped, kind, thing }: Subject): boolean {
  if (!piped || kind !== 'PipeTransport' || thing.closed) return false
  const { localAddress } = thing.tuple as { localAddress: string }
  return localAddress === '127.0.0.1' && thing.sctpState === 'connecting'
}
