// Bounds on the connections of a process: so many that descriptors are left for Workers, for tiers
// below and for files, and few that have not asked for anything.

import type { Server as HttpServer } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { OldestOut } from './oldest-out.ts'

// A listening socket has up to 511 connections for us at once, whose requests come a moment later.
const MAX_WAITING = 4_096

/**
 * Bounds the connections of a server. Answers what to call with one that has asked for a session:
 * it is no longer among those that make room for others.
 */
export function boundConnections(http: HttpServer): (stream: Duplex) => void {
  http.maxConnections = Math.floor(descriptorLimit() / 2)
  const waiting = new OldestOut(Math.min(MAX_WAITING, Math.ceil(http.maxConnections / 2)))
  const leaves = new WeakMap<Duplex, () => void>()
  http.on('connection', (socket: Socket) => leaves.set(socket, waiting.add(socket)))
  return stream => leaves.get(carrierOf(stream))?.()
}

/** The TCP connection on which a request came: Node.js has no public name for that below TLS. */
const carrierOf = (stream: Duplex): Duplex =>
  (stream as Duplex & { _parent?: Duplex })._parent ?? stream

let known: number | undefined

/** How many descriptors the process may have; Infinity where the system does not say. */
function descriptorLimit(): number {
  return (known ??= readLimit())
}

function readLimit(): number {
  const report = process.report as NodeJS.ProcessReport & { excludeNetwork: boolean }
  const { excludeNetwork } = report
  report.excludeNetwork = true // It would ask for the names of all peers.
  const { userLimits } = report.getReport() as unknown as {
    userLimits?: { open_files?: { soft: unknown } }
  }
  report.excludeNetwork = excludeNetwork
  const soft = userLimits?.open_files?.soft
  return typeof soft === 'number' ? soft : Infinity // 'unlimited'
}
