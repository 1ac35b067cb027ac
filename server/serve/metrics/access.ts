// Who may read metrics on the port of clients: programs of this host, and whoever may operate the
// tier.

import type { IncomingMessage } from 'node:http'
import { type Doors, identify, isOwnName, tellRefused } from '../request-access.ts'
import type { Refusal } from './endpoint.ts'

export const metricsAccess =
  (doors: Doors) =>
  async (request: IncomingMessage): Promise<Refusal | undefined> => {
    const { addresses } = doors
    const isOfPage = request.headers.origin !== undefined
    if (addresses.isLocal(request) && !isOfPage && isOwnName(request)) return undefined
    const refusal = await identify(request, doors, 'metrics need', 'operate')
    if (!Array.isArray(refusal)) return undefined
    await tellRefused(addresses.of(request), refusal, doors)
    return refusal
  }
