// How long it takes until there is a Router, from the start of the process.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import * as localMediasoup from 'mediasoup'
import { type Group, type Sample, rounds, row } from '../measure.ts'
import { ask, end, startLeaf, startScript } from '../processes.ts'
import { connect } from '../../kit/product.ts'

const ROUNDS = 9

export const start: Group = {
  name: 'start',
  about: 'start of a process, to its first Router (ms)',

  async run() {
    let router: Sample | undefined
    const samples = await rounds(
      ROUNDS,
      {
        nothing: () => timed(runNothing),
        local: () => timed(createRouter),
        process: () =>
          timed(async () => {
            const child = startScript('bench/start-local')
            await ask(child)
            return () => end(child)
          }),
        ready: async () => {
          const start = performance.now()
          const { child, url } = await startLeaf()
          const ready = { value: performance.now() - start }
          const remote = await connect(url)
          await (await remote.createWorker()).createRouter()
          router = { value: performance.now() - start }
          remote.close()
          await end(child)
          return ready
        },
        router: async () => router!
      },
      { warmUp: 1 }
    )
    const unit = 'ms'
    const to = { 'node -e 0': samples.nothing }
    const target = { of: 'value', atMost: 400 } as const
    return [
      row({ what: 'node -e 0, to its end', unit, samples: samples.nothing }),
      row({ what: 'createWorker and createRouter, local', unit, samples: samples.local, to }),
      row({
        what: 'a process with mediasoup, to its first Router',
        unit,
        samples: samples.process,
        to
      }),
      row({ what: 'leaf, to "listening"', unit, samples: samples.ready, to, target }),
      row({
        what: 'leaf, to its first Router',
        unit,
        samples: samples.router,
        to: { 'node -e 0': samples.nothing, local: samples.local }
      })
    ]
  }
}

/** A process that does nothing. */
async function runNothing() {
  await once(spawn(process.execPath, ['-e', '0']), 'exit')
}

/** How long it takes; what it returns ends it. */
async function timed(run: () => Promise<void | (() => Promise<void>)>): Promise<Sample> {
  const start = performance.now()
  const close = await run()
  const value = performance.now() - start
  await close?.()
  return { value }
}

async function createRouter() {
  const worker = await localMediasoup.createWorker()
  await worker.createRouter()
  return async () => worker.close()
}
