// The URLs of a Redis.

const EXAMPLES =
  'redis://[user:password@]host[:port][/database], rediss://… for TLS, or ' +
  'redis+sentinel://[user:password@]host:port,host:port/name[/database]'

export interface Sentinels {
  /** What they call the servers that they watch. */
  name: string
  nodes: { host: string; port: number }[]
  /** For the servers. */
  access: { username?: string; password?: string; database?: number }
}

export const isRedisUrl = (url: string) => /^(rediss?|redis\+sentinel):/.test(url)

/** @throws TypeError */
export function checkRedisUrl(url: string) {
  const isUrl = /^rediss?:\/\/[^/]/.test(url) && URL.canParse(url) && !new URL(url).search
  if (!isUrl && !sentinelsOf(url)) throw new TypeError(`a store is like ${EXAMPLES}`)
}

const SENTINEL =
  /^redis\+sentinel:\/\/(?:([^:@/]*)(?::([^@/]*))?@)?([^/@]+)\/([A-Za-z0-9._-]+)(?:\/(\d+))?$/

/** Undefined for the URL of one server. */
export function sentinelsOf(url: string): Sentinels | undefined {
  const [, username, password, hosts, name, database] = SENTINEL.exec(url) ?? []
  if (hosts === undefined || name === undefined) return undefined
  const nodes = hosts.split(',').map(nodeOf)
  if (!nodes.every(node => node !== undefined)) return undefined
  return {
    name,
    nodes,
    access: {
      username: username ? decodeURIComponent(username) : undefined,
      password: password ? decodeURIComponent(password) : undefined,
      database: database === undefined ? undefined : Number(database)
    }
  }
}

function nodeOf(text: string) {
  const [, host, port = '26379'] = /^(\[[0-9a-f:.]+\]|[^:[\]]+)(?::(\d{1,5}))?$/i.exec(text) ?? []
  return host && Number(port) < 65_536
    ? { host: host.replace(/^\[|\]$/g, ''), port: Number(port) }
    : undefined
}
