// What a session has, as a tier tells it that has to ask several: node by node, and what happens on
// a node after it was told.

import * as localMediasoup from 'mediasoup'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Announcement, Reference } from '../../lib/codec.ts'
import type { Location } from '../../lib/hello.ts'
import type { Recalled } from '../../lib/recall.ts'
import type { Frame, Link, OpenOptions, Tier } from '../../lib/tier.ts'
import { type Id, decode, encodeRequest } from '../../lib/wire.ts'
import { horizontal, vertical } from '../../proxy/index.ts'
import { leaf } from '../../server/index.ts'
import { afterTest, cleanUp, opus, rejection, until } from '../helper.ts'

cleanUp(test)

type Heard = { id?: Id; method?: string; params?: unknown[]; result?: unknown; error?: unknown }

/** A tier whose links are seen, and changed, as they are opened. */
const through = (tier: Tier, see: (link: Link) => void): Tier =>
  Object.create(tier, {
    open: {
      value: async (options?: OpenOptions) => {
        const link = await tier.open(options)
        see(link)
        return link
      }
    }
  }) as Tier

/**
 * A cluster of a host that says at once what there is, and one that says it when it is let; and
 * what the first has said.
 */
async function stage(toTier: (cluster: Tier) => Tier) {
  const [fast, slow] = [leaf(localMediasoup), leaf(localMediasoup)]
  const said: string[] = []
  const { promise: mayTell, resolve: letTell } = Promise.withResolvers<void>()
  const cluster = horizontal(
    [
      through(fast, link => link.on('frame', frame => said.push(String(frame)))),
      through(slow, link => {
        const send = link.send.bind(link)
        link.send = (frame: Frame, head) => {
          if (String(frame).includes('"tier.recall"')) void mayTell.then(() => send(frame, head))
          else send(frame, head)
        }
      })
    ],
    { policy: 'scatter' }
  )
  afterTest(() => cluster.close())
  let up = 0
  cluster.on('up', () => up++)
  await until(() => up === 2)
  return { tier: toTier(cluster), fast: fast.node!, slow: slow.node!, said, letTell }
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
async function onHost(
  call: <T>(method: string, ...params: unknown[]) => Promise<T>,
  node: string | undefined,
  references: Reference[]
) {
  for (const { $ } of references) {
    const { node: host, pid } = await call<Location>('tier.locate', $)
    if (host === node) return { handle: $, pid: pid! }
  }
  throw new Error(`none of ${JSON.stringify(references)} is on ${node}`)
}

type Session = Awaited<ReturnType<typeof open>>

/** Recalls nodes, and kills a Worker on the fast host once that has told what it has. */
async function whileAsked(
  pid: number,
  { heard, ask }: Session,
  nodes: string[],
  { said }: Awaited<ReturnType<typeof stage>>
) {
  const recall = ask('tier.recall', { nodes })
  await until(() => said.some(frame => frame.includes('"tier.recalled"')))
  process.kill(pid, 'SIGKILL')
  await until(() => said.some(frame => frame.includes('"Worker.died"')))
  return { answered: () => until(() => heard.find(({ id }) => id === recall)) }
}

const recalled = ({ heard }: Session) => heard.filter(({ method }) => method === 'tier.recalled')
const entriesOf = (session: Session) =>
  recalled(session).flatMap(({ params }) => (params as [Recalled])[0].entries)
const isDone =
  (node: string) =>
  ({ method, params }: Heard) =>
    method === 'tier.recalled' && (params as [Recalled])[0].done?.includes(node)

test('a host is told, and used, while another one does not tell; what happens on it comes after', async () => {
  const staged = await stage(cluster => cluster)
  const session = await open(staged.tier)
  const { heard, call } = session
  const workers = [
    await call<Announcement>('mediasoup.createWorker', {}),
    await call<Announcement>('mediasoup.createWorker', {})
  ]
  const { handle, pid } = await onHost(call, staged.fast, workers)
  const other = await onHost(call, staged.slow, workers)
  const { answered } = await whileAsked(pid, session, [staged.fast, staged.slow], staged)
  const died = await until(() =>
    heard.find(({ method, params }) => method === 'Worker.died' && params![0] === handle)
  )
  const done = heard.find(isDone(staged.fast))!
  assert.ok(heard.indexOf(done) < heard.indexOf(died))
  assert.ok(entriesOf(session).some(([$]) => $ === handle))
  assert.match(
    (await rejection(call('Worker.createRouter', handle, {}))).message,
    'WorkerClosedError'
  )
  assert.not.ok(heard.some(isDone(staged.slow)))

  // What is asked of the other one waits for it alone.
  const asked = session.ask('Worker.createRouter', other.handle, {})
  staged.letTell()
  assert.equal((await answered()).result, { count: 2 })
  await until(() => heard.find(({ id }) => id === asked))
  assert.ok(heard.findIndex(({ id }) => id === asked) > heard.findIndex(isDone(staged.slow)))
})

test('a node that nobody knows is told to have nothing', async () => {
  const { tier } = await stage(cluster => cluster)
  const session = await open(tier)
  assert.equal(await session.call('tier.recall', { nodes: ['unknown'] }), { count: 0 })
  assert.ok(session.heard.some(isDone('unknown')))
})

test('a Router that spans has lost what died after that was told, and lives on with the rest', async () => {
  const staged = await stage(cluster => vertical(cluster, { policy: 'scatter', maxWorkers: 2 }))
  const session = await open(staged.tier)
  const { heard, call } = session
  const worker = await call<Announcement>('mediasoup.createWorker', {})
  const router = await call<Announcement>('Worker.createRouter', worker.$, { mediaCodecs: [opus] })
  const transports = [
    await call<Announcement>('Router.createDirectTransport', router.$, {}),
    await call<Announcement>('Router.createDirectTransport', router.$, {})
  ]
  const { handle, pid } = await onHost(call, staged.fast, transports)
  const nodes = [staged.fast, staged.slow, worker.$.split('/')[0]!]
  assert.equal(
    heard
      .filter(({ method }) => method === 'tier.nodes')
      .flatMap(({ params }) => params![0] as string[])
      .toSorted(),
    [staged.fast, staged.slow].toSorted()
  )
  const { answered } = await whileAsked(pid, session, nodes, staged)
  const closed = await until(() =>
    heard.find(
      ({ method, params }) => method === 'DirectTransport.routerclose' && params![0] === handle
    )
  )
  const told = recalled(session).find(({ params }) =>
    (params as [Recalled])[0].entries.some(([$]) => $ === handle)
  )!
  assert.ok(heard.indexOf(told) < heard.indexOf(closed))
  staged.letTell()
  assert.equal((await answered()).result, { count: 4 })
  assert.equal(
    entriesOf(session)
      .map(([$, kind, of]) => [$, kind, of])
      .toSorted(),
    [
      [worker.$, 'Worker', null],
      [router.$, 'Router', worker.$],
      ...transports.map(({ $, kind }) => [$, kind, router.$])
    ].toSorted()
  )
  for (let i = 0; i < 3; i++) await call('Router.createDirectTransport', router.$, {})
})

test.run()
