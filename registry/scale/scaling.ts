// What a registry has for the number of its hosts: routes that tell it, and a command that sees to it.

import type { Route } from '../../lib/http-routes.ts'
import type { Log } from '../log.ts'
import { commandAt } from './command.ts'
import type { LeaderOptions } from './leader.ts'
import type { ScaledCluster } from './leaving.ts'
import { scaleRoutes } from './routes.ts'
import { Scaler } from './scaler.ts'

export interface ScalingOptions {
  /** A `horizontal` with the option `scale`. */
  cluster: ScaledCluster
  log: Log
  command?: CommandOptions | undefined
}

export interface CommandOptions extends LeaderOptions {
  /** Of a program. */
  file: string
  /** How long it may run, in ms. */
  timeout: number
  /** How long a host that is given back may take to be empty, in ms. */
  drainDeadline: number
}

export interface Scaling {
  readonly routes: readonly Route[]
  close(): void
}

export function scaling({ cluster, log, command }: ScalingOptions): Scaling {
  const scaler =
    command &&
    new Scaler({ ...command, cluster, log, command: commandAt(command.file, { ...command, log }) })
  return {
    routes: scaleRoutes({ wanted: () => cluster.wanted }),
    close: () => scaler?.close()
  }
}
