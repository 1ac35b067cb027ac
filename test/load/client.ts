// A process with the sessions of many applications: `client.ts` and a plan as JSON. Things are due
// at fixed times, whatever became of those before, so what is late counts from when it was due.

import { setTimeout as setTimeoutPromise } from 'node:timers/promises'
import { Random } from '../../conformance/fuzz/random.ts'
import { startRelay } from '../../conformance/relay.ts'
import { startEcho } from '../kit/echo-client.ts'
import { call } from './calls.ts'
import { MISSING_SECONDS, type Plan, WHATS, type What } from './plan.ts'
import { Room } from './room.ts'
import { Rooms } from './rooms.ts'
import { within } from '../kit/until.ts'

export type Order = { run: number } | 'close'

export interface Report {
  /** From when each was due until it was done, in ms. */
  took: Record<What, number[]>
  consumers: number
  /** Connections that were regained. */
  regained: number
  wrong: string[]
}

const OPENING = 20
const TICK_MS = 1
// How late a timer is by itself. What is later than that had to wait.
const TIMER_MS = 2
const REQUEST = JSON.stringify({
  jsonrpc: '2.0',
  id: 1000,
  method: 'Consumer.getStats',
  params: ['0123abcd/100000']
})
const ANSWER = ' '.repeat(500)
// One thing that is wrong goes wrong often.
const MAX_WRONG = 20

interface Slot {
  readonly url: string
  readonly objects: number
  room: Room
}

const plan = JSON.parse(process.argv[2]!) as Plan
const random = new Random(plan.seed)
const { oneOf, least, most } = plan.breaking
let wrong: string[] = []
let regained = 0
const onWrong = (why: string) => {
  if (wrong.length < MAX_WRONG) wrong.push(why)
}

const relay = await startRelay(plan.url, { lifetime: () => random.between(least, most) })
const echo = await (await startEcho({ worker: true })).connect({ request: REQUEST, answer: ANSWER })
const slots = await open()
const rooms = new Rooms(slots, random)

const ACTIONS: Record<What, () => Promise<void>> = {
  call: () => rooms.use(({ room }) => call(room, random)),
  join: () =>
    rooms.use(async ({ room }) => {
      await room.leave(random.pick(room.participants))
      await room.join()
    }),
  session: () =>
    rooms.use(async slot => {
      await slot.room.close()
      slot.room = await openRoom(slot)
    }),
  echo: () => echo.call()
}

process.on('message', async (order: Order) => {
  if (order === 'close') return close()
  if (typeof order === 'object') process.send!(await run(order.run))
})
process.send!('open')

async function open(): Promise<Slot[]> {
  const queue = plan.sessions.map((objects, i) => ({
    url: i % oneOf === 0 ? relay.url : plan.url,
    objects
  }))
  const slots: Slot[] = []
  await Promise.all(
    Array.from({ length: OPENING }, async () => {
      for (let place = queue.shift(); place; place = queue.shift())
        slots.push({ ...place, room: await openRoom(place) })
    })
  )
  return slots
}

async function openRoom({ url, objects }: Omit<Slot, 'room'>): Promise<Room> {
  const room = await Room.open(url, objects, onWrong)
  room.connection.on('regained', () => {
    regained++
  })
  return room
}

/** Resolves when all that was due is done. */
async function run(ms: number): Promise<Report> {
  const took: Report['took'] = { call: [], join: [], session: [], echo: [] }
  const running: Promise<void>[] = []
  const begin = performance.now()
  const next = Object.fromEntries(
    WHATS.map(what => [what, (random.next() * 1000) / plan.rates[what]])
  ) as Record<What, number>
  for (let now = 0; now < ms; now = performance.now() - begin) {
    for (const what of WHATS) {
      for (; next[what] <= now; next[what] += 1000 / plan.rates[what])
        running.push(perform(what, begin + next[what], took[what]))
    }
    await setTimeoutPromise(TICK_MS)
  }
  await Promise.all(running)
  const report = {
    took,
    consumers: slots.reduce((sum, { room }) => sum + room.consumers.length, 0),
    regained,
    wrong
  }
  regained = 0
  wrong = []
  return report
}

async function perform(what: What, due: number, took: number[]) {
  const now = performance.now()
  const start = now - due > TIMER_MS ? due : now
  try {
    await within(ACTIONS[what](), MISSING_SECONDS, what)
    took.push(performance.now() - start)
  } catch (error) {
    onWrong(`${what}: ${(error as Error).stack}`)
  }
}

async function close() {
  await Promise.all(slots.map(({ room }) => room.close()))
  process.send!('closed')
}
