// A session that asks for as much as it may, in a process of its own: each order names what for.

import { openRaw } from '../kit/raw.ts'
import { until } from '../kit/until.ts'

const OBJECTS = 1_000
// So many are always on the way.
const IN_FLIGHT = 256

/** What a session can do to others within its limits. */
export const WORST = {
  /** Small questions, as many as the rate allows. */
  calls: { method: 'tier.hello', params: [] },
  /** Answers of 60 kB. */
  discover: { method: 'rpc.discover', params: [] },
  /** Answers about a thousand objects. */
  recall: { method: 'tier.recall', params: [{ nodes: [] as string[] }] },
  /** What is no message. */
  garbage: undefined
} as const

export type Worst = keyof typeof WORST

export type Order = Worst | 'stop'

const [url] = process.argv.slice(2)
if (url) await serveOrders(url)

async function serveOrders(url: string) {
  let doing: Worst | undefined
  let id = 0
  const peer = await openRaw(url)
  const { socket, heard } = peer
  const { result } = await peer.call('mediasoup.createWorker', { logLevel: 'none' })
  const worker = (result as { $: string }).$
  const router = ((await peer.call('Worker.createRouter', worker, {})).result as { $: string }).$
  for (let i = 0; i < OBJECTS; i++)
    peer.send({
      jsonrpc: '2.0',
      id: i,
      method: 'Router.createActiveSpeakerObserver',
      params: [router, {}]
    })
  await until(() => heard.length >= OBJECTS)
  WORST.recall.params[0].nodes.push(worker.split('/')[0]!)

  // Whatever is answered is asked again. Notifications are not: the recall tells with them.
  socket.on('message', data => {
    heard.length = 0
    if (doing && String((data as Buffer).subarray(0, 40)).includes('"id"')) ask()
  })
  process.on('message', (order: Order) => {
    const before = doing
    doing = order === 'stop' ? undefined : order
    if (doing && !before) for (let i = 0; i < IN_FLIGHT; i++) ask()
    process.send!(order)
  })
  process.send!('ready')

  function ask() {
    const what = WORST[doing!]
    socket.send(what ? JSON.stringify({ jsonrpc: '2.0', id: ++id, ...what }) : '{"jsonrpc":')
  }
}
