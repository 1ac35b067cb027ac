// Files that are read again when they change.

import { unwatchFile, watchFile } from 'node:fs'

const INTERVAL_MS = 1_000

/**
 * Calls back when one of the files has changed, until the function that it answers is called. It polls, because what replaces a
 * file by another one (rename, the symbolic links of Kubernetes) is missed by whoever watches the first.
 */
export function watchFiles(files: string[], onChange: () => void): () => void {
  for (const file of files) watchFile(file, { interval: INTERVAL_MS, persistent: false }, onChange)
  return () => {
    for (const file of files) unwatchFile(file, onChange)
  }
}
