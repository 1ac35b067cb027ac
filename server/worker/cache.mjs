// The cache shared by all clones and installations of one user.

import { chmod, copyFile, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

// Whatever the umask is: what others may write is not run (see trust.mjs).
const OURS = 0o755

/** $MAFALDA_CACHE, or the place the XDG base directories have for it. */
export const cacheDirectory = (env = process.env) =>
  env.MAFALDA_CACHE || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'mafalda')

/**
 * Keeps the file that `make` makes in a scratch directory. It appears at once: a reader never sees
 * half a file, and of two processes that make the same file the later one replaces it by an equal.
 * @param {string} target
 * @param {(scratch: string) => Promise<string>} make answers the path of the file made
 */
export async function keep(target, make) {
  // First, because it may take minutes to make what then could not be kept.
  await mkdir(dirname(target), { recursive: true, mode: OURS }).catch(({ message }) => {
    throw new Error(
      `The cache must be writable, or MAFALDA_CACHE name another directory for it (${message})`
    )
  })
  // Not inside the cache, where nobody would clean up after a build that was interrupted.
  const scratch = await mkdtemp(join(tmpdir(), 'mafalda-'))
  const arriving = `${target}.${process.pid}`
  try {
    await copyFile(await make(scratch), arriving)
    await chmod(arriving, OURS)
    await rename(arriving, target)
  } finally {
    await rm(scratch, { recursive: true, force: true })
    await rm(arriving, { force: true })
  }
}
