// How many pipes a room needs, against piping every Producer to every Worker. Workers and their
// loads are simulated, placement is real.

import { type Group, type Row, quick, row } from '../measure.ts'
import { type PipedRoom, spreadRoom } from '../../kit/pipes.ts'
import { client, vertical } from '../../kit/product.ts'

const PEERS = quick ? [5, 10] : [5, 10, 15, 20, 30, 40]
const WORKERS = [1, 2, 4, 8, 16]

export const pipes: Group = {
  name: 'pipes',
  about:
    'pipes of a room of peers with audio and video, who hear and see all others; simulated loads',

  async run() {
    const rows: Row[] = []
    let needless = 0
    for (const peers of PEERS) {
      for (const most of WORKERS) {
        const room = await spreadRoom({ client, vertical }, peers, most)
        needless += room.needless
        rows.push(compare(room, `${peers} peers`))
      }
    }
    return [
      ...rows,
      row({
        what: 'pipes that nobody consumes, in all of these',
        unit: 'pipes',
        samples: [{ value: needless }],
        target: { of: 'value', atMost: 0 }
      })
    ]
  }
}

function compare({ producers, workers, pipes }: PipedRoom, what: string): Row {
  const everywhere = producers * (workers - 1)
  const comparison = {
    what: `${what} on ${workers} Workers`,
    unit: 'pipes',
    samples: [{ value: pipes }]
  }
  if (!everywhere) return row({ ...comparison, target: { of: 'value', atMost: 0 } })
  return row({
    ...comparison,
    to: { [`${producers} × ${workers - 1}`]: [{ value: everywhere }] },
    target: { of: 'ratio', atMost: 1 }
  })
}
