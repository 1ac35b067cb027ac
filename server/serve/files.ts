// Files that are read again when they change.

import { unwatchFile, watchFile } from 'node:fs'

const INTERVAL_MS = 1_000

/**
 * Calls back when one of the files has changed. It polls, because a watcher follows the old file
 * when another one takes its place (rename, the symbolic links of Kubernetes).
 *
 * @returns a function that ends it
 */
export function watchFiles(files: string[], onChange: () => void): () => void {
  for (const file of files) watchFile(file, { interval: INTERVAL_MS, persistent: false }, onChange)
  return () => {
    for (const file of files) unwatchFile(file, onChange)
  }
}
