// What `--import mafalda/register` costs an application: its start, its first call, its memory.

import { fileURLToPath } from 'node:url'
import { type Group, type Sample, rounds, row } from '../measure.ts'
import { ask, end, startLeaf, startScript } from '../processes.ts'

const ROUNDS = 9
const MEBIBYTE = 1024 * 1024
const PRELOAD = fileURLToPath(new URL('../../../dist/register.js', import.meta.url))

/** What the application tells of itself: ms, ms and bytes. */
interface Told {
  start: number
  first: number
  memory: number
}

type ToldSample = Sample & Told

export const register: Group = {
  name: 'register',
  about: 'an application with mafalda/register, beside one with a local mediasoup',

  async run() {
    const { child, url } = await startLeaf()
    const preload = ['--import', PRELOAD]
    const samples = await rounds(
      ROUNDS,
      {
        local: () => measure([], {}),
        register: () => measure(preload, { MAFALDA_URL: url })
      },
      { warmUp: 1 }
    )
    await end(child)

    const compare = (what: string, unit: string, figure: (told: Told) => number) => {
      const of = (told: ToldSample[]): Sample[] => told.map(each => ({ value: figure(each) }))
      const [local, remote] = [of(samples.local), of(samples.register)]
      return [
        row({ what: `${what}, local mediasoup`, unit, samples: local }),
        row({ what: `${what}, mafalda/register`, unit, samples: remote, to: { local } })
      ]
    }
    return [
      ...compare('start, to the first line of the application', 'ms', ({ start }) => start),
      ...compare('createWorker and createRouter, the first', 'ms', ({ first }) => first),
      ...compare('memory of the process', 'MiB', ({ memory }) => memory / MEBIBYTE)
    ]
  }
}

async function measure(nodeArgs: string[], env: NodeJS.ProcessEnv): Promise<ToldSample> {
  const options = { nodeArgs, env: { ...process.env, ...env } }
  const child = startScript('bench/application', [], options)
  const told = await ask<Told>(child)
  await end(child)
  return { ...told, value: told.start }
}
