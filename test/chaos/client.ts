// A process with an application: `client.ts URL ADDRESS NAME SEED SILENCE [--may-lose]`.

import { setTimeout as setTimeoutPromise } from 'node:timers/promises'
import { client, remote } from '../../client/index.ts'
import { Random } from '../../conformance/fuzz/random.ts'
import { answering } from './answers.ts'
import { openMedia } from './media.ts'
import type { ClientMessage, Order } from './client-messages.ts'
import { Room } from './room.ts'

const STEP_MS = 30
const AGAIN_MS = 50
const SECONDS_TO_REST = 120
// Longer than a tier may be away, with those below it.
const SECONDS_TO_ANSWER = 60

const [url, address, name, seed, silence, mayLose] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
  string?
]
const tell = (message: ClientMessage) => {
  process.send?.(message)
}
const random = new Random(Number(seed))
let order: Order | undefined

process.on('message', (next: Order) => {
  order = next
})

const media = await openMedia(address)
const mediasoup = await connected()
let lostSince = 0
mediasoup.connection.on('lost', () => {
  lostSince = performance.now()
})
mediasoup.connection.on('regained', () =>
  tell({ tell: 'recovered', what: 'connection', ms: performance.now() - lostSince })
)

let room: Room | undefined
let gone: { at: number; with: string | undefined } | undefined
while (order === undefined) await step()
await rest()
tell({ tell: 'quiet' })
while ((order as Order) !== 'close') await setTimeoutPromise(STEP_MS)
room?.close()
media.close()
mediasoup.close()
process.disconnect()

/** The first connection is not replaced: it may break as well as all others. */
async function connected() {
  for (;;) {
    try {
      return await client(
        answering(remote(url, { silence: Number(silence) }), SECONDS_TO_ANSWER * 1000, frame =>
          tell({
            tell: 'wrong',
            why: `${name}: this was not answered within ${SECONDS_TO_ANSWER} s: ${frame}`
          })
        )
      )
    } catch {
      await setTimeoutPromise(AGAIN_MS)
    }
  }
}

async function step() {
  try {
    await (await whole()).step(random)
    await setTimeoutPromise(STEP_MS)
  } catch (error) {
    await failed(error as Error)
  }
}

async function whole(): Promise<Room> {
  if (room && !room.isOpen) {
    gone ??= { at: performance.now(), with: room.lastBroken }
    room.close()
    room = undefined
  }
  room ??= await Room.open({ name, mediasoup, media, mayLose: mayLose !== undefined, tell })
  if (!gone) return room
  await room.complete()
  tell({ tell: 'recovered', what: 'room', ms: performance.now() - gone.at, after: gone.with })
  gone = undefined
  return room
}

/** Nothing breaks any more: all is there again, and as the leaves have it. */
async function rest() {
  const deadline = performance.now() + SECONDS_TO_REST * 1000
  for (;;) {
    try {
      const there = await whole()
      await there.complete()
      return await there.compare()
    } catch (error) {
      if (performance.now() > deadline)
        return tell({ tell: 'wrong', why: `${name}: ${(error as Error).message}` })
      await failed(error as Error)
    }
  }
}

// Calls fail when what they are about has died; nothing else may make them fail.
async function failed(error: Error) {
  if (error instanceof TypeError || error instanceof RangeError)
    tell({ tell: 'wrong', why: `${name}: ${error.stack}` })
  await setTimeoutPromise(AGAIN_MS)
}
