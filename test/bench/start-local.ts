// A process with a mediasoup of its own, up to its first Router.

import * as mediasoup from 'mediasoup'

const worker = await mediasoup.createWorker()
await worker.createRouter()
process.send!('ready')
