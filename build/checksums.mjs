// `npm run checksums`: writes the SHA-256 of each prebuilt worker of the mediasoup that we depend on
// into server/worker/checksums.json, for a person to review and commit. With --check it writes
// nothing, and fails when the file says something else: the release job runs it so.

import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { pinnedHashes, sha256 } from '../server/worker/checksums.mjs'
import { get } from '../server/worker/download.mjs'

const API = 'https://api.github.com/repos/versatica/mediasoup/releases/tags'
const FILE = fileURLToPath(new URL('../server/worker/checksums.json', import.meta.url))

/**
 * The hashes of the archives of a release, by name. Each archive is downloaded, and must have the
 * hash that the release page has for it.
 * @param {string} version
 * @param {string} api
 * @returns {Promise<Record<string, string>>}
 */
export async function hashesOf(version, api = API) {
  const { bytes } = await get(`${api}/${version}`)
  /** @type {{ assets: { name: string, browser_download_url: string, digest?: string }[] }} */
  const { assets } = JSON.parse(String(bytes))
  const workers = assets.filter(({ name }) => /^mediasoup-worker-.*\.tgz$/.test(name))
  if (!workers.length)
    throw new Error(`mediasoup ${version} must have prebuilt workers: it has none`)
  /** @type {Record<string, string>} */
  const hashes = {}
  for (const { name, browser_download_url: url, digest } of workers) {
    const hash = sha256((await get(url)).bytes)
    if (digest && digest !== `sha256:${hash}`)
      throw new Error(`${name} must have the hash of its release, ${digest} (got sha256:${hash})`)
    hashes[name] = hash
  }
  return hashes
}

/** What differs between a release and the list, one sentence each. */
export const differences = (
  /** @type {Record<string, string>} */ hashes,
  /** @type {Record<string, string>} */ pinned
) =>
  Object.entries(hashes)
    .filter(([name, hash]) => pinned[name] !== hash)
    .map(
      ([name, hash]) =>
        `${name} has the SHA-256 ${hash}, and the list has ${pinned[name] ?? 'none'}`
    )

async function main() {
  const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'))
  const hashes = await hashesOf(lock.packages['node_modules/mediasoup'].version)
  const pinned = await pinnedHashes()
  const found = differences(hashes, pinned)
  for (const line of found) console.error(line)
  if (process.argv.includes('--check')) process.exitCode = found.length ? 1 : 0
  // What is there stays: hosts may have older versions of mediasoup.
  else writeFileSync(FILE, JSON.stringify({ ...pinned, ...hashes }, null, 2) + '\n')
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  main().catch(error => {
    console.error(error.message)
    process.exitCode = 1
  })
