// An application that is written for mediasoup, up to its first Router. With the preload, it does
// not know of it.

import * as mediasoup from 'mediasoup'

/** Since the process began: what was loaded before this line has been. */
const start = performance.now()
const worker = await mediasoup.createWorker()
await worker.createRouter()
process.send!({ start, first: performance.now() - start, memory: process.memoryUsage.rss() })
