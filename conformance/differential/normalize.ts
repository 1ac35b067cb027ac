// Replaces values that differ from run to run, on plain mediasoup, too: ids by the names of their
// objects, random and measured values by placeholders.

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g

// mediasoup makes up nine digits; programs say less.
const FIRST_RANDOM_SSRC = 100_000_000

/** Members whose values are measured, or made up by mediasoup or the system. */
const PLACEHOLDERS = new Set([
  'pid',
  'port',
  'localPort',
  'remotePort',
  'timestamp',
  'usernameFragment',
  'localIceUsernameFragment',
  'password',
  'keyBase64',
  'cname',
  'liburing',
  'jitter',
  'bitrate',
  'bitrateByLayer',
  'recvBitrate',
  'sendBitrate',
  'rtpRecvBitrate',
  'rtpSendBitrate',
  'rtxRecvBitrate',
  'rtxSendBitrate',
  'probationSendBitrate'
])

/** Of a transport: there is padding among them, which goes out by the clock. */
const BYTES = /bytes(Sent|Received)$/i

/** Measurements of a process by the system. */
const MEASURED = /^ru_/

/** Lists without an order: the worker keeps them in hash tables. */
const UNORDERED = new Set([
  'subchannels',
  'transportIds',
  'rtpObserverIds',
  'mapProducerIdConsumerIds',
  'mapConsumerIdProducerId',
  'mapProducerIdObserverIds',
  'mapDataProducerIdDataConsumerIds',
  'mapDataConsumerIdDataProducerId',
  'producerIds',
  'consumerIds',
  'dataProducerIds',
  'dataConsumerIds',
  'mapSsrcConsumerId',
  'mapRtxSsrcConsumerId',
  'ssrcTable',
  'midTable',
  'ridTable',
  'streamIdTable',
  'webRtcServerIds',
  'routerIds',
  'channelRequestHandlers',
  'channelNotificationHandlers',
  'webRtcTransportIds',
  'localIceUsernameFragments',
  'tupleHashes',
  'values',
  'fingerprints'
])

export class Normalizer {
  readonly #nameOf: (thing: object) => string | undefined
  readonly #ids = new Map<string, string>()

  constructor(nameOf: (thing: object) => string | undefined) {
    this.#nameOf = nameOf
  }

  /** Ids repeat (keepId): the name is that of the first. */
  nameId(id: string, name: string) {
    if (!this.#ids.has(id)) this.#ids.set(id, name)
  }

  normalize(value: unknown, key = ''): unknown {
    if (PLACEHOLDERS.has(key) || MEASURED.test(key))
      return value === undefined ? undefined : `<${key}>`
    if (typeof value === 'string') return this.#text(value)
    if (typeof value === 'number')
      return value >= FIRST_RANDOM_SSRC && /ssrc|key/i.test(key) ? '<ssrc>' : value
    if (typeof value !== 'object' || value === null) return value
    const name = this.#nameOf(value)
    if (name !== undefined) return `<${name}>`
    if (value instanceof Error) return this.error(value)
    if (Buffer.isBuffer(value)) return `<bytes ${value.toString('hex')}>`
    if (Array.isArray(value)) return this.#list(value, key)
    return this.#object(value as Record<string, unknown>)
  }

  error(error: Error) {
    return {
      class: error.constructor.name,
      name: error.name,
      message: this.#text(error.message).replace(/\b(id|pid|port):\d+/g, '$1:<$1>')
    }
  }

  #text(text: string): string {
    return text.replace(UUID, id => (this.#ids.has(id) ? `<${this.#ids.get(id)}>` : '<uuid>'))
  }

  #list(list: unknown[], key: string): unknown[] {
    const items = list.map(item => this.normalize(item, key))
    return UNORDERED.has(key)
      ? items.toSorted((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1))
      : items
  }

  // Without what is undefined: JSON does not tell that from what is not there. Fingerprints are
  // those of a certificate.
  #object(object: Record<string, unknown>): Record<string, unknown> {
    const members = Object.keys(object)
      .filter(name => object[name] !== undefined)
      .toSorted()
    const normal = Object.fromEntries(
      members.map(name => [name, this.normalize(object[name], name)])
    )
    if ('algorithm' in normal && 'value' in normal) normal.value = '<fingerprint>'
    if ('probationBytesSent' in normal)
      for (const name of members) if (BYTES.test(name)) normal[name] = '<bytes>'
    return normal
  }
}
