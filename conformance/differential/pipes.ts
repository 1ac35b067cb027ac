// Calls of pipeToRouter() after which plain mediasoup does not work any more, or behaves
// differently from run to run. Programs leave them out.

import type { Subject, World } from './world.ts'

interface Options {
  router?: unknown
}

// mediasoup checks these before it makes transports.
const BEFORE = /^missing |^just |^only one of |^cannot use |^(Data)?Producer not found/

/** Notes which Routers are piped, and between which of them it failed. */
export function noteResult(
  from: Subject,
  options: unknown,
  world: World,
  made: Subject[],
  error?: unknown
) {
  for (const subject of made) subject.piped = true
  const to = world.subjectOf((Object(options) as Options).router)
  if (!error || !to || (isPiped(from, world) && isPiped(to, world))) return
  const { message = '' } = error as { message?: string }
  if (!BEFORE.test(message)) world.broken.add(pairOf(from, to))
}

export function reasonNotToPipe(from: Subject, options: unknown, world: World): string | undefined {
  const { router } = Object(options) as Options
  if (!router) return undefined
  const to = world.subjectOf(router)
  // It rejects a promise that nobody handles.
  if (to?.kind !== 'Router') return 'the process would end'
  // It remembers the promise that was rejected, and a second one may have no handler.
  if (world.broken.has(pairOf(from, to))) return 'a pipe between these Routers has failed before'
  // If it can make one end, it leaves that open, and rejects with the error that came first.
  if (to.thing.closed) return 'one end would be left'
  return undefined
}

const pairOf = (one: Subject, other: Subject) => [one.name, other.name].toSorted().join()

const isPiped = (router: Subject, { subjects }: World) =>
  subjects.some(
    ({ parent, piped, kind, thing }) =>
      parent === router && piped && kind === 'PipeTransport' && !thing.closed
  )
