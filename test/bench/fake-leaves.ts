// A process of many leaves without media, each served at a URL of its own.

import { FakeLeaf } from '../kit/fake-leaf.ts'
import { serve } from '../kit/product.ts'

const CORES = 8

const [count] = process.argv.slice(2)
const servers = await Promise.all(
  Array.from({ length: Number(count) }, () =>
    serve(new FakeLeaf(CORES), { limits: { sessionsPerAddress: 10_000 } })
  )
)
process.send!(servers.map(({ url }) => url))
