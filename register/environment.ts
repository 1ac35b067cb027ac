// The variables of `mafalda/register`: where the tier is, and who connects.

import { readFile } from 'node:fs/promises'
import { type RemoteOptions, remote } from '../client/index.ts'
import { MAX_DURATION } from '../lib/duration.ts'
import type { Tier } from '../lib/tier.ts'

const WAIT_SECONDS = 60
const MOCK = 'mock:'

export interface Settings {
  /** For messages: MAFALDA_URL, which has no secrets in it. */
  url: string
  /** Undefined: a leaf in this process. */
  tier: Tier | undefined
  /** How long the first Worker waits for a session, in ms. */
  wait: number
}

/** @throws Error a sentence that names the variable */
export function settingsOf(env: NodeJS.ProcessEnv): Settings {
  const url = env.MAFALDA_URL?.trim()
  if (!url)
    throw new Error(
      'MAFALDA_URL must be the URL of a tier, such as ws://media-1:4000, or mock: (it is not set)'
    )
  const wait = waitOf(env.MAFALDA_WAIT || undefined)
  if (url === MOCK) return { url, tier: undefined, wait }
  const urls = url.split(',').map(each => each.trim())
  try {
    return { url, tier: remote(urls, accessOf(env)), wait }
  } catch (error) {
    throw new Error(`MAFALDA_URL: ${(error as Error).message}`, { cause: error })
  }
}

function waitOf(text = String(WAIT_SECONDS)): number {
  const wait = Number(text) * 1000
  if (!(wait >= 0 && wait <= MAX_DURATION))
    throw new Error(
      `MAFALDA_WAIT must be from 0 to ${Math.floor(MAX_DURATION / 1000)} seconds (got ${JSON.stringify(text)})`
    )
  return wait
}

/** As for `mafalda serve`, these are files. They are read at each connect. */
function accessOf(env: NodeJS.ProcessEnv): RemoteOptions {
  const { MAFALDA_CA: ca, MAFALDA_CERT: cert, MAFALDA_KEY: key, MAFALDA_TOKEN: token } = env
  return {
    tls: ca || cert || key ? { ca, cert, key } : undefined,
    token: token ? async () => (await readFile(token, 'utf8')).trim() : undefined
  }
}
