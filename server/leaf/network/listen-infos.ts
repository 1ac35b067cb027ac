// What a call listens on, in mediasoup's form of today and in its deprecated ones.

export interface ListenInfo {
  protocol?: unknown
  ip?: unknown
  announcedAddress?: unknown
  announcedIp?: unknown
  port?: unknown
  portRange?: unknown
  flags?: unknown
}

export interface ListenOptions {
  listenInfo?: unknown
  rtcpListenInfo?: unknown
  listenInfos?: unknown
  listenIp?: unknown
  listenIps?: unknown
  /** That of the deprecated forms. */
  port?: unknown
}

export interface Listening {
  info: ListenInfo
  /** Whether it is a deprecated one, which has no port of its own. */
  deprecated: boolean
}

/**
 * Each of them, as an object that the call will use. An address by itself, which the deprecated
 * forms allow, is made one. mediasoup refuses what is of a wrong type.
 */
export function listeningOf(options: ListenOptions): Listening[] {
  const { listenInfo, rtcpListenInfo, listenInfos } = options
  if (isText(options.listenIp)) options.listenIp = { ip: options.listenIp }
  if (Array.isArray(options.listenIps))
    options.listenIps = options.listenIps.map((ip: unknown) => (isText(ip) ? { ip } : ip))
  return [
    ...all(false, [listenInfo, rtcpListenInfo, ...arrayOf(listenInfos)]),
    ...all(true, [options.listenIp, ...arrayOf(options.listenIps)])
  ]
}

/** What it announces: by mediasoup's rule, the newer name wins. */
export const announcedBy = ({ info, deprecated }: Listening): unknown =>
  deprecated ? info.announcedIp : (info.announcedAddress ?? info.announcedIp)

/** Lets it announce another address, or none. */
export function announce({ info, deprecated }: Listening, address: string | undefined) {
  if (address === undefined) {
    delete info.announcedAddress
    delete info.announcedIp
  } else if (deprecated) info.announcedIp = address
  else info.announcedAddress = address
}

const all = (deprecated: boolean, infos: unknown[]): Listening[] =>
  infos.filter(isObject).map(info => ({ info, deprecated }))

const arrayOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null
