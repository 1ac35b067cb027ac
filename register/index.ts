// `node --import mafalda/register app.js`: the application's mediasoup is that of the tier at
// MAFALDA_URL. See docs/drop-in.md.

import { createRequire } from 'node:module'
import type { Mediasoup } from '../lib/mediasoup.ts'
import { settingsOf } from './environment.ts'
import { watchForWorkers } from './foreign-workers.ts'
import { replaceMediasoup } from './hooks.ts'
import { LazyMediasoup } from './lazy-mediasoup.ts'

try {
  await register()
} catch (error) {
  fail(error as Error)
}

async function register() {
  const { url, tier, wait } = settingsOf(process.env)
  const local = createRequire(import.meta.url)('mediasoup') as Mediasoup
  const lazy = new LazyMediasoup({
    tier: tier ?? (await mock(local)),
    wait,
    onWaiting: ({ message }) =>
      say(`${message}: waiting up to ${wait / 1000} s for ${url} (MAFALDA_WAIT)`),
    onGivenUp: fail
  })
  const { createWorker, observer, setLogEventListeners } = lazy
  replaceMediasoup({ ...local, createWorker, observer, setLogEventListeners })
  // Else what the session has would be taken until the tier's grace is over.
  process.on('exit', () => lazy.close())
  if (tier)
    watchForWorkers(program =>
      say(
        `a mediasoup-worker runs in this process, and not on the tier: ${program} was started by a mediasoup that mafalda/register does not reach, for example one in a bundle`
      )
    )
}

/** Not before it is asked for: what serves is not loaded in vain. */
async function mock(local: Mediasoup) {
  const { leaf } = await import('../server/index.ts')
  return leaf(local)
}

function fail({ message }: Error): never {
  say(message)
  process.exit(1)
}

function say(message: string) {
  console.error(`mafalda/register: ${message}`)
}
