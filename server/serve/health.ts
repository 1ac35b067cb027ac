// A listener of its own for /healthz and /readyz.

import type { RequestListener } from 'node:http'
import { type ListenAddress, type Listener, listenApart } from './listener.ts'

export type HealthAddress = ListenAddress

export type HealthListener = Listener

/** @param answer answers what is asked for */
export const listenForHealth = (
  address: HealthAddress,
  answer: RequestListener
): Promise<HealthListener> => listenApart('health', address, ['/healthz', '/readyz'], answer)
