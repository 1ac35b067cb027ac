// One session that lives long: Workers stay, and Routers, pipes and participants are opened and
// closed over them. Each process of the tree has the heap that it had.

import type * as ms from 'mediasoup/types'
import type { RemoteMediasoup } from '../../client/index.ts'
import { connect } from '../kit/product.ts'
import { audio } from '../kit/room.ts'
import { Tier } from './tiers.ts'

const SCATTERED = ['--vertical', '--policy', 'scatter', '--max-workers', '2']

const TREES = {
  vertical: { leaves: 1, proxy: SCATTERED },
  aggregated: { leaves: 2, proxy: SCATTERED }
}

export type LongTree = keyof typeof TREES
export const longTrees = Object.keys(TREES) as LongTree[]

/**
 * What one round may leave, in bytes: less than any object, and more than a heap is off by in a
 * thousand rounds.
 */
export const MOST_PER_ROUND = 150
const opus: ms.RouterRtpCodecCapability = {
  kind: 'audio',
  mimeType: 'audio/opus',
  clockRate: 48000,
  channels: 2,
  preferredPayloadType: 100
}
// Until V8 has compiled what is used: its code is in the heap, too, and would count as left.
const WARM_UP = 1_000
const AT_ONCE = 10
// What a tier keeps of closed objects, and pipes without Consumers, is gone after this.
const SETTLING_MS = 30_000

export interface LongSession {
  rounds: number
  tree: LongTree
  onProgress?(done: number): void
}

/** Answers what a round has left in each process, in bytes. */
export async function longSession({
  rounds,
  tree,
  onProgress = () => {}
}: LongSession): Promise<Record<string, number>> {
  const { leaves: count, proxy } = TREES[tree]
  const leaves = await Promise.all(
    Array.from({ length: count }, (_, i) => Tier.start(`leaf ${i + 1}`, []))
  )
  const top = await Tier.start(tree, [...proxy, ...leaves.map(({ url }) => url)])
  const tiers = [top, ...leaves]
  const mediasoup = await connect(top.url)
  const stage = await open(mediasoup)
  await repeat(WARM_UP, stage)
  const before = await settledHeaps(tiers)
  await repeat(rounds, stage, onProgress)
  const after = await settledHeaps(
    tiers,
    before.map(heap => heap + rounds * MOST_PER_ROUND)
  )
  mediasoup.close()
  for (const tier of tiers) await tier.end()
  return Object.fromEntries(
    tiers.map(({ name }, i) => [name, Math.round((after[i]! - before[i]!) / rounds)])
  )
}

/** Two Workers, a Router that stays, and a Producer on it. */
async function open(mediasoup: RemoteMediasoup) {
  const [worker, other] = [await mediasoup.createWorker(), await mediasoup.createWorker()]
  const router = await worker.createRouter({ mediaCodecs: [opus] })
  const producer = await (await router.createDirectTransport()).produce(audio())
  return { other, router, producer }
}

type Stage = Awaited<ReturnType<typeof open>>

async function repeat(rounds: number, stage: Stage, onProgress: (done: number) => void = () => {}) {
  let begun = 0
  const run = async () => {
    while (begun < rounds) {
      if (++begun % 100 === 0) onProgress(begun)
      await round(stage)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, run))
}

async function round({ other, router, producer }: Stage) {
  const { id: producerId } = producer
  const { rtpCapabilities } = router
  // A Router, and a pipe to it.
  const room = await other.createRouter({ mediaCodecs: [opus] })
  const { pipeProducer } = await router.pipeToRouter({ producerId, router: room, keepId: false })
  await (await room.createDirectTransport()).consume({
    producerId: pipeProducer!.id,
    rtpCapabilities
  })
  room.close()
  // A participant, who is gone while it is asked for something.
  const transport = await router.createDirectTransport()
  const own = await transport.produce(audio())
  await transport.consume({ producerId, rtpCapabilities })
  const calls: Promise<unknown>[] = [
    transport.consume({ producerId, rtpCapabilities }),
    transport.produceData(),
    own.pause()
  ]
  transport.close()
  await Promise.allSettled(calls)
}

/** Once they are at most so large, or are not any more to become smaller. */
async function settledHeaps(tiers: Tier[], bounds?: number[]): Promise<number[]> {
  const end = performance.now() + SETTLING_MS
  for (;;) {
    const heaps = await Promise.all(tiers.map(async tier => (await tier.holdings()).heap))
    if (performance.now() > end || (bounds && heaps.every((heap, i) => heap <= bounds[i]!)))
      return heaps
    await new Promise(resolve => setTimeout(resolve, 500))
  }
}
