// What both ends take from mediasoup's own package: errors, ORTC, emitters and a few functions.
// None of it needs a worker on this machine.

export * as errors from 'mediasoup/errors'
export * as extras from 'mediasoup/extras'
export * as ortc from 'mediasoup/ortc'
export { EnhancedEventEmitter } from 'mediasoup/extras'

/** What `import * as mediasoup` gives. */
export type Mediasoup = typeof import('mediasoup')
