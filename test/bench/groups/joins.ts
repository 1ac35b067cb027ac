// A storm: participants join one Router as fast as it goes.

import * as localMediasoup from 'mediasoup'
import { Durations } from '../../kit/durations.ts'
import { type Group, type Sample, rounds, row, quick } from '../measure.ts'
import { end, startLeaf } from '../processes.ts'
import { connect } from '../../kit/product.ts'
import { type Mediasoup, type Participant, openRoom, participants } from '../../kit/room.ts'

const ROUNDS = 5
export const PARTICIPANTS = quick ? 24 : 200
const IN_FLIGHT = 8

export const joins: Group = {
  name: 'joins',
  about: `${PARTICIPANTS} participants join, ${IN_FLIGHT} at a time: 2 transports, 2 Producers and 16 Consumers each (p50 and p99 of a join in µs)`,

  async run() {
    const process = await startLeaf()
    const remote = await connect(process.url)
    const samples = await rounds(
      ROUNDS,
      { local: () => storm(localMediasoup), leaf: () => storm(remote) },
      { warmUp: 1 }
    )
    remote.close()
    await end(process.child)
    const unit = 'ms'
    return [
      row({ what: 'join storm, local', unit, samples: samples.local }),
      row({
        what: 'join storm, leaf',
        unit,
        samples: samples.leaf,
        to: { local: samples.local },
        target: { of: 'ratio', atMost: 1.6 }
      })
    ]
  }
}

/** @param atEnd is given those who joined, before they leave */
export async function storm(
  mediasoup: Mediasoup,
  atEnd?: (joined: Participant[]) => Promise<void>
): Promise<Sample> {
  const room = await openRoom(mediasoup)
  const join = participants(room)
  for (let i = 0; i < IN_FLIGHT; i++) await join() // Those whom the first ones see.
  const joined: Participant[] = []

  const durations = new Durations()
  let left = PARTICIPANTS
  await Promise.all(
    Array.from({ length: IN_FLIGHT }, async () => {
      while (left-- > 0) {
        const start = performance.now()
        joined.push(await join())
        durations.add(performance.now() - start)
      }
    })
  )
  const { seconds, p50, p99 } = durations.stop()
  await atEnd?.(joined)
  const gone = new Promise<void>(resolve => room.worker.once('subprocessclose', () => resolve()))
  room.worker.close()
  await gone
  return { value: seconds * 1000, p50, p99 }
}
