// Applications are told when another number of hosts is wanted.

import type { Wanted } from '../../lib/wanted.ts'
import type { Publish } from '../events/publish.ts'
import { type Log, Trouble } from '../log.ts'

export interface WantingCluster {
  on(event: 'wanted', listener: (wanted: Wanted) => void): unknown
}

export function tellWanted(cluster: WantingCluster, publish: Publish, log: Log) {
  const trouble = new Trouble(log)
  cluster.on('wanted', async ({ hosts, now, starting, cores, reason }) => {
    try {
      await publish('hosts.wanted', { hosts, now, starting, cores, reason })
      trouble.ends('applications can be told again how many hosts are wanted')
    } catch (error) {
      trouble.begins(error as Error, 'applications are not told how many hosts are wanted')
    }
  })
}
