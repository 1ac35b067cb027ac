// Dumps of parts as one of the whole, without the pipes between them.

import type * as ms from 'mediasoup/types'

/** What a whole hides of its parts, and how it names them. */
export interface View {
  /** Ids of what is internal: transports and Consumers of pipes. */
  hidden: ReadonlySet<string>
  /** Ids of parts to those of the whole. */
  alias: ReadonlyMap<string, string>
}

type Entry = { key: string; value?: string; values?: string[] }

export function mergeWorkerDumps(dumps: ms.WorkerDump[], view: View): ms.WorkerDump {
  const ids = (list: (dump: ms.WorkerDump) => string[]) => unite(dumps.flatMap(list), view)
  return {
    pid: dumps[0]!.pid,
    webRtcServerIds: ids(dump => dump.webRtcServerIds),
    routerIds: ids(dump => dump.routerIds),
    channelMessageHandlers: {
      channelRequestHandlers: ids(dump => dump.channelMessageHandlers.channelRequestHandlers),
      channelNotificationHandlers: ids(
        dump => dump.channelMessageHandlers.channelNotificationHandlers
      )
    }
  }
}

export function mergeRouterDumps(dumps: ms.RouterDump[], view: View): ms.RouterDump {
  // What they map is a list of entries, whatever mediasoup's types say.
  const lists = dumps as unknown as Record<string, string | string[] | Entry[]>[]
  const merged: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(lists[0]!)) {
    const all: (string | Entry)[] = lists.flatMap(dump => dump[name] as (string | Entry)[])
    merged[name] =
      typeof value === 'string'
        ? (view.alias.get(value) ?? value)
        : name.startsWith('map')
          ? uniteEntries(all as Entry[], view)
          : unite(all as string[], view)
  }
  return merged as unknown as ms.RouterDump
}

export function mergeServerDumps(dumps: ms.WebRtcServerDump[], id: string): ms.WebRtcServerDump {
  return {
    id,
    udpSockets: dumps.flatMap(({ udpSockets }) => udpSockets),
    tcpServers: dumps.flatMap(({ tcpServers }) => tcpServers),
    webRtcTransportIds: dumps.flatMap(({ webRtcTransportIds }) => webRtcTransportIds),
    localIceUsernameFragments: dumps.flatMap(
      ({ localIceUsernameFragments }) => localIceUsernameFragments
    )
  }
}

export function sumUsages(usages: ms.WorkerResourceUsage[]): ms.WorkerResourceUsage {
  const sum = { ...usages[0]! }
  for (const usage of usages.slice(1)) {
    for (const key of Object.keys(sum) as (keyof ms.WorkerResourceUsage)[]) sum[key] += usage[key]
  }
  return sum
}

const unite = (ids: string[], { hidden, alias }: View) => [
  ...new Set(ids.filter(id => !hidden.has(id)).map(id => alias.get(id) ?? id))
]

// A Producer is on every Worker that it is piped to, under the same id.
function uniteEntries(entries: Entry[], { hidden }: View): Entry[] {
  const united = new Map<string, Entry>()
  for (const { key, value, values } of entries) {
    if (hidden.has(key)) continue
    const known = united.get(key) ?? (values ? { key, values: [] } : { key, value })
    known.values?.push(...values!.filter(id => !hidden.has(id)))
    united.set(key, known)
  }
  return [...united.values()]
}
