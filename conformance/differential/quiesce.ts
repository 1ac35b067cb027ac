// Waits, without sleeping, until nothing more happens because of a call.

import type { Subject, World } from './world.ts'

// An answer may overtake events that came before it by one turn of the event loop of a leaf, so one round without news
// is not enough.
const QUIET_ROUNDS = 2
const MAX_MS = 5_000

const turn = () => new Promise(resolve => setImmediate(resolve))

/**
 * Asks each Worker until nobody has any news. Whatever a Worker did before it answers is on the way then, and what that
 * makes happen on another Worker is asked for before the next round.
 */
export async function quiesce(world: World): Promise<void> {
  const deadline = performance.now() + MAX_MS
  for (let quiet = 0; quiet < QUIET_ROUNDS || isPending(world);) {
    const { count } = world
    await Promise.all(workers(world).filter(({ thing }) => !thing.closed).map(ask))
    await turn()
    quiet = world.count === count ? quiet + 1 : 0
    if (performance.now() > deadline) return world.note(world.subjects[0]!, ['it did not become quiet'])
  }
}

const workers = (world: World) => world.subjects.filter(({ kind }) => kind === 'Worker')

async function ask({ thing }: Subject) {
  await (thing.getResourceUsage as () => Promise<unknown>)().catch(() => {}) // It died in the meantime.
}

// A process ends when the system says so, and both ends of a pipe on this machine find each other soon.
const isPending = ({ subjects }: World) => subjects.some(subject => isDying(subject) || isConnecting(subject))

const isDying = ({ kind, thing }: Subject) => kind === 'Worker' && thing.closed && !thing.subprocessClosed

function isConnecting({ piped, kind, thing }: Subject): boolean {
  if (!piped || kind !== 'PipeTransport' || thing.closed) return false
  const { localAddress } = thing.tuple as { localAddress: string }
  return localAddress === '127.0.0.1' && thing.sctpState === 'connecting'
}
