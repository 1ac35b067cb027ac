// Files that are read again when they change.

import { statSync, unwatchFile, watchFile } from 'node:fs'
import type { Logger } from 'pino'

const INTERVAL_MS = 1_000

// A file that is gone, or cannot be used, is looked at again later and later, and said to be so.
const [FIRST_RETRY_MS, LAST_RETRY_MS] = [60_000, 3_600_000]

export interface WatchedFiles {
  /** Reads them now. */
  reload(): void
  /** Ends it. */
  unwatch(): void
}

/**
 * Calls back when one of the files has changed. It polls, because a watcher follows the old file
 * when another one takes its place (rename, the symbolic links of Kubernetes).
 *
 * @param read answers whether the files could be used; else it is called again
 */
export function watchFiles(
  files: string[],
  read: () => boolean,
  { first = FIRST_RETRY_MS, last = LAST_RETRY_MS } = {}
): WatchedFiles {
  let timer: NodeJS.Timeout | undefined
  let delay = first
  let isOver = false
  for (const file of files) watchFile(file, { interval: INTERVAL_MS, persistent: false }, reload)
  return { reload, unwatch }

  function reload() {
    clearTimeout(timer)
    if (read()) delay = first
    else if (!isOver && files.length) {
      timer = setTimeout(reload, delay).unref()
      delay = Math.min(2 * delay, last)
    }
  }

  function unwatch() {
    isOver = true
    clearTimeout(timer)
    for (const file of files) unwatchFile(file, reload)
  }
}

const READ_BY_OTHERS = 0o004

/** Warns of files with secrets that every user of the host can read. */
export function warnOfReaders(sources: (string | Buffer | undefined)[], logger: Logger) {
  if (process.platform === 'win32') return
  for (const file of sources) {
    if (typeof file !== 'string') continue
    const mode = statSync(file, { throwIfNoEntry: false })?.mode ?? 0
    if (mode & READ_BY_OTHERS)
      logger.warn({ file }, 'every user of this host can read a secret: take that right away')
  }
}
