// The webinar example with all seats taken, on an aggregated tree of this machine: all join at once,
// and real RTP goes from everybody on stage to all. This process is the people.

import { once } from 'node:events'
import type { ChildProcess } from 'node:child_process'
import { watchCpu } from '../kit/cpu.ts'
import { Durations } from '../kit/durations.ts'
import { perform } from '../kit/performer.ts'
import { end, filesOf, startNode } from '../kit/processes.ts'
import { type Member, enter } from '../kit/signalling.ts'
import { until, within } from '../kit/until.ts'
import { Viewer } from '../kit/viewer.ts'
import { openCounter } from './counts.ts'
import { startTiers } from './tiers.ts'

const JOIN_SECONDS = 300
const RECEIVE_SECONDS = 60
const PROGRESS_MS = 10_000

export interface WebinarOptions {
  seats: number
  stage: number
  /** How long media is counted after all have joined. */
  seconds: number
  /** How often each stream has a packet. */
  everyMs: number
  /** Is told from time to time how many have joined, and why others cannot. */
  onProgress?(joined: number, failures: readonly string[]): void
}

export interface WebinarOutcome {
  /** From opening the signalling to having resumed all Consumers, in ms. */
  joins: Durations
  /** Why others could not join. */
  failures: string[]
  joinSeconds: number
  /** How much later everybody has received everybody. */
  receiveSeconds: number
  /** Of those who watch. */
  consumers: number
  /** By leaf, pipes included: Consumers, and the sockets and files of each Worker. */
  spread: Record<string, { consumers: number; files: number[] }>
  received: number
  lost: number
  /** Consumers of which nothing arrived. */
  silent: number
  /** Cores, by process. */
  cpu: Record<'joining' | 'watching', Record<string, number>>
}

export async function fillWebinar(options: WebinarOptions): Promise<WebinarOutcome> {
  const { seats, stage, seconds, everyMs, onProgress } = options
  // On a busy machine a Worker that gets too little CPU does not seem full: `pack` would not leave it.
  const { leaves, proxies, top } = await startTiers('aggregated', ['--policy', 'scatter'])
  const application = await startApplication(top.url, options)
  const counter = await openCounter(leaves)
  const pids = () => ({
    people: [process.pid],
    application: [application.child.pid!],
    ...Object.fromEntries([...proxies, ...leaves].map(({ name, child }) => [name, [child.pid!]])),
    ...Object.fromEntries(leaves.map(({ name, workers }) => [`Workers of ${name}`, workers]))
  })
  const stops = await fillStage(application, stage, everyMs)

  const joining = watchCpu(pids)
  const joins = new Durations()
  const failures: string[] = []
  const progress = setInterval(() => onProgress?.(joins.count, failures), PROGRESS_MS)
  const viewers: Viewer[] = []
  await within(
    Promise.all(
      Array.from({ length: seats }, async (_, i) => {
        const begin = performance.now()
        try {
          viewers.push(await join(`${application.url}?id=v${i}`))
          joins.add(performance.now() - begin)
        } catch (error) {
          failures.push(String(error))
        }
      })
    ),
    JOIN_SECONDS,
    `all ${seats} have joined, or cannot`
  )
  clearInterval(progress)
  joins.stop()
  const whileJoining = joining()
  const streamsOf = () => viewers.flatMap(viewer => viewer.streams)
  const joinedAt = performance.now()
  await until(
    () => streamsOf().every(({ packets }) => packets > 0),
    RECEIVE_SECONDS,
    'everybody receives everybody'
  ).catch(() => {}) // Those who do not are counted.
  const receiveSeconds = (performance.now() - joinedAt) / 1_000

  // Until mediasoup has settled on layers, it leaves packets out.
  for (const viewer of viewers) viewer.count()
  const watching = watchCpu(pids)
  await new Promise(resolve => setTimeout(resolve, seconds * 1_000))
  const whileWatching = watching()
  const streams = streamsOf()
  const sum = (of: (stream: (typeof streams)[number]) => number) =>
    streams.reduce((total, stream) => total + of(stream), 0)
  const outcome = {
    joins,
    failures,
    joinSeconds: joins.seconds,
    receiveSeconds,
    consumers: streams.length,
    spread: Object.fromEntries(
      await Promise.all(
        leaves.map(async ({ name, workers }, i) => {
          const { consumers } = await counter.load(i)
          return [name, { consumers, files: workers.map(filesOf) }]
        })
      )
    ),
    received: sum(({ packets }) => packets),
    lost: sum(({ lost }) => lost),
    silent: streams.filter(({ packets }) => !packets).length,
    cpu: { joining: whileJoining, watching: whileWatching }
  }

  for (const stop of stops) stop()
  for (const viewer of viewers) viewer.close()
  counter.close()
  await end(application.child, 'SIGTERM')
  for (const tier of [...proxies, ...leaves]) await tier.end()
  return outcome
}

interface Application {
  child: ChildProcess
  url: string
  hostKey: string
}

async function startApplication(
  mafalda: string,
  { seats, stage }: WebinarOptions
): Promise<Application> {
  const { child, output } = startNode(
    ['--import', 'mafalda/register', 'examples/webinar/server.ts'],
    {
      env: {
        ...process.env,
        MAFALDA_URL: mafalda,
        PORT: '0',
        STAGE: String(stage),
        SEATS: String(seats)
      },
      stderr: 'inherit'
    }
  )
  const [line] = await once(output, 'line')
  const { listening, hostKey } = JSON.parse(line)
  return { child, url: `ws://127.0.0.1:${listening}/webinar`, hostKey }
}

async function fillStage({ url, hostKey }: Application, stage: number, everyMs: number) {
  const host = await enter(`${url}?id=p0&key=${hostKey}`)
  const performers: Member[] = [host]
  for (let i = 1; i < stage; i++) {
    performers.push(await enter(`${url}?id=p${i}`))
    await host.ask('promote', { seat: `p${i}` })
  }
  const stops = await Promise.all(performers.map((member, i) => perform(member, `p${i}`, everyMs)))
  return [
    ...stops,
    ...performers.map(
      ({ socket }) =>
        () =>
          socket.terminate()
    )
  ]
}

async function join(url: string): Promise<Viewer> {
  const viewer = new Viewer(await enter(url))
  await viewer.resume(await viewer.watch())
  return viewer
}
