// A wait that an event ends.

import type { EventEmitter } from 'node:events'

/** Settles at the event, after a time, or at the signal, whichever is first. */
export function wakened(
  emitter: Pick<EventEmitter, 'once' | 'off'>,
  event: string,
  ms: number,
  signal: AbortSignal
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const wake = () => resolve()
  const timer = setTimeout(wake, ms)
  emitter.once(event, wake)
  signal.addEventListener('abort', wake)
  if (signal.aborted) resolve()
  return promise.finally(() => {
    clearTimeout(timer)
    emitter.off(event, wake)
    signal.removeEventListener('abort', wake)
  })
}
