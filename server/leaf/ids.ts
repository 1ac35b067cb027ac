// Ids that applications choose for Producers and DataProducers. mediasoup uses such an id as the
// name of an event, and so some names would reach Node.js or mediasoup itself: an 'error' without a
// listener ends the process.

const MAX_BYTES = 255

// Events that EventEmitter and mediasoup's emitters emit themselves, and the name that objects
// treat specially.
const RESERVED: ReadonlySet<string> = new Set([
  'error',
  'newListener',
  'removeListener',
  'listenererror',
  '__proto__'
])

/**
 * Throws a TypeError when the options of produce() or produceData() name an id that mediasoup
 * cannot bear.
 */
export function checkId(member: string, [options]: unknown[]) {
  if (member !== 'produce' && member !== 'produceData') return
  const { id } = Object(options) as { id?: unknown }
  if (id === undefined || id === null) return
  if (typeof id !== 'string')
    throw new TypeError(`id must be a string (got ${Array.isArray(id) ? 'an array' : typeof id})`)
  const bytes = Buffer.byteLength(id)
  if (bytes > MAX_BYTES)
    throw new TypeError(`id must have at most ${MAX_BYTES} bytes (it has ${bytes})`)
  if (!id.isWellFormed())
    throw new TypeError('id must be well-formed Unicode: it has half of a surrogate pair')
  if (RESERVED.has(id) || id.startsWith('@'))
    throw new TypeError(`id must not be the name of an internal event (got ${JSON.stringify(id)})`)
}
