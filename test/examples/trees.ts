// Applications of examples/, as they are, on plain mediasoup and on each sort of tree.

import { once } from 'node:events'
import { end, startNode } from '../kit/processes.ts'
import { afterTest, startLeaf } from '../helper.ts'

/** Starts tiers, and answers where the application finds its mediasoup. */
export const trees: Record<string, () => Promise<string | undefined>> = {
  'plain mediasoup': async () => undefined,
  'a leaf': async () => (await startLeaf()).url,
  'a vertical tier': async () => (await startLeaf(['--vertical', '--max-workers', '2'])).url,
  'two hosts as one': async () => (await startLeaf(await hosts())).url,
  'Routers that span two hosts': async () =>
    (await startLeaf(['--vertical', '--policy', 'scatter', ...(await hosts())])).url
}

const hosts = async () => [(await startLeaf()).url, (await startLeaf()).url]

/** Starts an application in a process of its own, and answers at which port it listens. */
export async function startApplication(
  file: string,
  mafalda: string | undefined,
  env: NodeJS.ProcessEnv
): Promise<number> {
  const register = mafalda ? ['--import', 'mafalda/register'] : []
  const { child, output } = startNode([...register, file], {
    env: { ...process.env, ...(mafalda ? { MAFALDA_URL: mafalda } : {}), PORT: '0', ...env },
    stderr: 'inherit'
  })
  afterTest(() => end(child, 'SIGTERM'))
  const [line] = await once(output, 'line')
  return JSON.parse(line).listening
}
