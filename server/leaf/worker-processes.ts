// The processes of Workers on this host: how many there may be, and an error for each that the host
// has nothing left for. Only the call that asked for it fails.

import type { ChildProcess } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { closeSync, openSync } from 'node:fs'
import { devNull } from 'node:os'
import { setImmediate } from 'node:timers/promises'
import type * as ms from 'mediasoup/types'
import { LimitError, codes } from '../../lib/errors.ts'
import type { Mediasoup } from '../../lib/mediasoup.ts'
import { isolateMessages } from './channel.ts'

// To start a process takes about ten descriptors, of which four stay. The others are for what
// sessions that are there need: to come back, and to open files.
const SPARE_DESCRIPTORS = 32

export class WorkerProcesses {
  readonly #mediasoup: Mediasoup
  readonly #max: number
  #count = 0

  /** @param max how many there may be */
  constructor(mediasoup: Mediasoup, max = Infinity) {
    this.#mediasoup = mediasoup
    this.#max = max
  }

  get isFull() {
    return this.#count >= this.#max
  }

  /**
   * Starts one.
   *
   * @throws LimitError when there may be no more, or the host cannot; what createWorker() does
   */
  async start(settings?: ms.WorkerSettings): Promise<ms.Worker> {
    if (this.isFull)
      throw new LimitError(codes.exhausted, `the host may have ${this.#max} Workers, and has them`)
    checkDescriptors()
    this.#count++
    const worker = await createWorker(this.#mediasoup, settings).catch(error => {
      this.#count--
      throw error
    })
    worker.observer.once('close', () => this.#count--)
    return isolateMessages(worker)
  }
}

/**
 * Node.js keeps what it has opened for a process that it cannot start, so that must not be tried
 * without what it takes.
 */
function checkDescriptors() {
  const opened: number[] = []
  try {
    while (opened.length < SPARE_DESCRIPTORS) opened.push(openSync(devNull, 'r'))
  } catch (cause) {
    throw exhausted(
      `fewer than ${SPARE_DESCRIPTORS} descriptors are left (${(cause as NodeJS.ErrnoException).code})`
    )
  } finally {
    for (const descriptor of opened) closeSync(descriptor)
  }
}

/**
 * mediasoup's createWorker() does not listen yet when Node.js says that a process cannot be started,
 * which would end this one.
 */
async function createWorker(
  mediasoup: Mediasoup,
  settings?: ms.WorkerSettings
): Promise<ms.Worker> {
  let failure: NodeJS.ErrnoException | undefined
  const listen = (message: unknown) =>
    (message as { process: ChildProcess }).process.on('error', error => (failure ??= error))
  let started: Promise<ms.Worker>
  subscribe('child_process', listen)
  try {
    started = mediasoup.createWorker(settings)
  } finally {
    unsubscribe('child_process', listen)
  }
  try {
    return await started
  } catch (error) {
    await setImmediate() // Node.js tells a moment later.
    const { code, message } = failure ?? (error as NodeJS.ErrnoException)
    if (code && LACKS.has(code)) throw exhausted(`its process could not be started (${code})`)
    // What mediasoup says of a process that has ended before it ran.
    if (/^\[pid:.*\]$/.test(message)) throw exhausted(`its process ended at once (${message})`)
    throw error
  }
}

const LACKS: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'EAGAIN', 'ENOMEM'])

const exhausted = (why: string) =>
  new LimitError(codes.exhausted, `the host has no room for another Worker: ${why}`)
