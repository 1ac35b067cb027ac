// Which prebuilt workers are taken: those whose SHA-256 is in checksums.json, or is stated.

import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'

const FILE = new URL('checksums.json', import.meta.url)
const SHA256 = /^[0-9a-f]{64}$/

/**
 * The SHA-256 that the archive must have, and who says so: MAFALDA_WORKER_SHA256, else our list.
 * @param {string} archive name of the archive, which has mediasoup's version and the platform in it
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<{ hash: string, source: string } | undefined>} undefined: nobody knows it
 */
export async function expectedHash(archive, env) {
  const stated = env.MAFALDA_WORKER_SHA256?.toLowerCase()
  if (stated) {
    if (!SHA256.test(stated))
      throw new Error(
        `MAFALDA_WORKER_SHA256 must be 64 hexadecimal digits (got ${JSON.stringify(env.MAFALDA_WORKER_SHA256)})`
      )
    return { hash: stated, source: 'MAFALDA_WORKER_SHA256' }
  }
  const hash = (await pinnedHashes())[archive]
  return hash === undefined ? undefined : { hash, source: "Mafalda's list" }
}

/** @returns {Promise<Record<string, string>>} hashes by the name of the archive */
export const pinnedHashes = async () => JSON.parse(await readFile(FILE, 'utf8'))

export const sha256 = (/** @type {Buffer} */ bytes) =>
  createHash('sha256').update(bytes).digest('hex')
