// What there is, as a tier tells it that has to ask several: what happens meanwhile is told after it.

import * as localMediasoup from 'mediasoup'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Announcement, Reference } from '../../lib/codec.ts'
import type { Location } from '../../lib/hello.ts'
import type { Frame, Link, OpenOptions, Tier } from '../../lib/tier.ts'
import { type Id, decode, encodeRequest } from '../../lib/wire.ts'
import { horizontal, vertical } from '../../proxy/index.ts'
import { leaf } from '../../server/index.ts'
import { afterTest, cleanUp, opus, until } from '../helper.ts'

cleanUp(test)

type Heard = { id?: Id; method?: string; params?: unknown[]; result?: unknown; error?: unknown }

/** A tier whose links are seen, and changed, as they are opened. */
const through = (tier: Tier, see: (link: Link) => void): Tier => Object.create(tier, {
  open: { value: async (options?: OpenOptions) => {
    const link = await tier.open(options)
    see(link)
    return link
  } }
}) as Tier

/** A cluster of a host that says at once what there is, and one that says it when it is let; and what the first has said. */
async function stage(toTier: (cluster: Tier) => Tier) {
  const [fast, slow] = [leaf(localMediasoup), leaf(localMediasoup)]
  const said: string[] = []
  const { promise: mayTell, resolve: letTell } = Promise.withResolvers<void>()
  const cluster = horizontal([
    through(fast, link => link.on('frame', frame => said.push(String(frame)))),
    through(slow, link => {
      const send = link.send.bind(link)
      link.send = (frame: Frame, head) => {
        if (String(frame).includes('"tier.recall"')) void mayTell.then(() => send(frame, head))
        else send(frame, head)
      }
    })
  ], { policy: 'scatter' })
  afterTest(() => cluster.close())
  let up = 0
  cluster.on('up', () => up++)
  await until(() => up === 2)
  return { tier: toTier(cluster), fast: fast.node, said, letTell }
}

async function open(tier: Tier) {
  const link = await tier.open()
  afterTest(() => link.close())
  const heard: Heard[] = []
  let id = 0
  link.on('frame', frame => heard.push(decode(frame) as Heard))
  const ask = (method: string, ...params: unknown[]) => {
    link.send(encodeRequest(++id, method, params))
    return id
  }
  return {
    heard,
    ask,
    async call<T>(method: string, ...params: unknown[]): Promise<T> {
      const own = ask(method, ...params)
      const { result, error } = await until(() => heard.find(({ id }) => id === own))
      if (error) throw new Error(`${method}: ${JSON.stringify(error)}`)
      return result as T
    }
  }
}

/** The one that is on a host, and where. */
async function onHost(call: <T>(method: string, ...params: unknown[]) => Promise<T>, node: string | undefined, references: Reference[]) {
  for (const { $ } of references) {
    const { node: host, pid } = await call<Location>('tier.locate', $)
    if (host === node) return { handle: $, pid: pid! }
  }
  throw new Error(`none of ${JSON.stringify(references)} is on ${node}`)
}

async function whileAsked(pid: number, { heard, ask }: Awaited<ReturnType<typeof open>>, { said, letTell }: Awaited<ReturnType<typeof stage>>) {
  const recall = ask('tier.recall')
  await until(() => said.some(frame => frame.includes('"result":[{"$"')))
  process.kill(pid, 'SIGKILL')
  await until(() => said.some(frame => frame.includes('"Worker.died"')))
  letTell()
  await until(() => heard.find(({ id }) => id === recall))
  return recall
}

test('a Worker of a cluster that dies while that is asked what there is has died after the answer, which has it', async () => {
  const staged = await stage(cluster => cluster)
  const session = await open(staged.tier)
  const workers = [await session.call<Announcement>('mediasoup.createWorker', {}), await session.call<Announcement>('mediasoup.createWorker', {})]
  const { handle, pid } = await onHost(session.call, staged.fast, workers)
  const recall = await whileAsked(pid, session, staged)
  const died = await until(() => session.heard.find(({ method, params }) => method === 'Worker.died' && params![0] === handle))
  const answer = session.heard.find(({ id }) => id === recall)!
  assert.ok((answer.result as Announcement[]).some(({ $ }) => $ === handle))
  assert.ok(session.heard.indexOf(answer) < session.heard.indexOf(died))
})

test('a Router that spans has lost what died while it was asked what there is, and lives on with the rest', async () => {
  const staged = await stage(cluster => vertical(cluster, { policy: 'scatter', maxWorkers: 2 }))
  const session = await open(staged.tier)
  const worker = await session.call<Announcement>('mediasoup.createWorker', {})
  const router = await session.call<Announcement>('Worker.createRouter', worker.$, { mediaCodecs: [opus] })
  const transports = [await session.call<Announcement>('Router.createDirectTransport', router.$, {}), await session.call<Announcement>('Router.createDirectTransport', router.$, {})]
  const { handle, pid } = await onHost(session.call, staged.fast, transports)
  const recall = await whileAsked(pid, session, staged)
  const closed = await until(() => session.heard.find(({ method, params }) => method === 'DirectTransport.routerclose' && params![0] === handle))
  const answer = session.heard.find(({ id }) => id === recall)!
  assert.ok((answer.result as Announcement[]).some(({ $ }) => $ === handle))
  assert.ok(session.heard.indexOf(answer) < session.heard.indexOf(closed))
  for (let i = 0; i < 3; i++) await session.call('Router.createDirectTransport', router.$, {})
})

test.run()
