// A log on stdout, as JSON lines. A full disk, or a reader that is gone, costs lines of the log and
// nothing else.

import { pino } from 'pino'

// What is kept until it can be written; what is more is lost.
const MAX_KEPT_BYTES = 1024 * 1024

/** @param descriptor where it goes instead */
export function openLog(level: string, descriptor = 1): pino.Logger {
  const destination = pino.destination({
    fd: descriptor,
    sync: true, // The last lines of a process are there, however it ends.
    maxLength: MAX_KEPT_BYTES
  })
  const logger = pino({ name: 'mafalda', level }, destination)
  let isFailing = false
  let lost = 0
  destination.on('drop', () => lost++)
  destination.on('error', ({ message }: Error) => {
    if (!isFailing) console.error(`the log cannot be written: ${message}`)
    isFailing = true
  })
  destination.on('write', () => {
    isFailing = false
    if (lost) setImmediate(tellLost)
  })
  return logger

  function tellLost() {
    if (lost)
      logger.warn({ lines: lost }, 'lines of the log were lost, because it could not be written')
    lost = 0
  }
}
