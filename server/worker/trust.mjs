// What is run from the cache was put there by us or by root: nobody else could have replaced it.

import { realpath, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

const WRITABLE_BY_OTHERS = 0o022
const STICKY = 0o1000

/**
 * The real path of a program in the cache; undefined when there is none yet.
 * @param {string} path
 * @throws {Error} a sentence, when others than us and root could write it, or could replace it by
 *   means of a folder above it
 */
export async function trustedProgram(path) {
  const there = await nearest(path)
  // Windows has no such modes.
  if (process.getuid) await checkOwners(there.real, process.getuid())
  return there.path === path ? there.real : undefined
}

/** The path itself if there is something, else the first folder above it that is there. */
async function nearest(/** @type {string} */ path) {
  for (;;) {
    const real = await realpath(path).catch(() => undefined)
    if (real !== undefined) return { path, real }
    path = dirname(path)
  }
}

async function checkOwners(/** @type {string} */ path, /** @type {number} */ ours) {
  for (let part = path; ; part = dirname(part)) {
    const entry = await stat(part)
    if (entry.uid !== 0 && entry.uid !== ours)
      throw refusal(path, `${part} belongs to the user ${entry.uid}`)
    // In a sticky folder, such as /tmp, only its owner can replace a file.
    const isShared = entry.isDirectory() && entry.mode & STICKY
    if (entry.mode & WRITABLE_BY_OTHERS && !isShared)
      throw refusal(path, `${part} has the mode ${(entry.mode & 0o777).toString(8)}`)
    if (part === dirname(part)) return
  }
}

const refusal = (/** @type {string} */ program, /** @type {string} */ why) =>
  new Error(
    `What is run from the cache must be writable by this user and root only, with all folders above it, but ${why}. ` +
      `Remove ${program}, or let MAFALDA_CACHE name another folder`
  )
