// One tier of the tree: a process that is killed and started again, and the relay in front of it.

import type { ChildProcess } from 'node:child_process'
import { type Relay, startRelay } from '../../conformance/relay.ts'
import type { Host } from '../kit/network-namespaces.ts'
import { end, filesOf, inNamespace, memoryOf, startTier } from '../kit/processes.ts'

export const SILENCE_MS = 1_500
export const LOCALHOST = '127.0.0.1'

const EXPIRED = /and not regained within/

const COMMON = ['--silence', String(SILENCE_MS), '--log-level', 'info']

export class TreeTier {
  readonly name: string
  readonly host: Host | undefined
  readonly link: Relay
  /** Where it is without the relay. */
  readonly url: string
  readonly #args: string[]
  readonly #tell: (line: string) => void
  #child: ChildProcess
  // From when it is to be killed until another one listens.
  #isAway = false
  /** Files and sockets that it had open when it had nothing to do; its memory then. */
  before: ReturnType<TreeTier['holdings']> | undefined

  /** @param log is told of each session that nobody came back to in time */
  static async start(
    name: string,
    args: readonly string[],
    log: (line: string) => void = () => {},
    host?: Host
  ) {
    const all = [...COMMON, ...(host ? ['--insecure'] : []), ...args]
    const tell = (line: string) => {
      if (EXPIRED.test(line)) log(`${name}: ${JSON.parse(line).reason}`)
    }
    const started = await start(['--listen', `${host?.address ?? LOCALHOST}:0`, ...all], tell, host)
    const { child, url } = started
    return new TreeTier(
      name,
      child,
      await startRelay(url),
      ['--listen', new URL(url).host, ...all],
      url,
      tell,
      host
    )
  }

  private constructor(
    name: string,
    child: ChildProcess,
    link: Relay,
    args: string[],
    url: string,
    tell: (line: string) => void,
    host: Host | undefined
  ) {
    this.#tell = tell
    this.name = name
    this.link = link
    this.url = url
    this.host = host
    this.#child = child
    this.#args = args
  }

  get pid() {
    return this.#child.pid!
  }

  get isUp() {
    return !this.#isAway && this.#child.exitCode === null && this.#child.signalCode === null
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT') {
    this.#child.kill(signal)
  }

  kill() {
    this.#isAway = true
    return end(this.#child, 'SIGKILL')
  }

  /** In the place of the one that was killed. */
  async restart() {
    const { child } = await start(this.#args, this.#tell, this.host)
    this.#child = child
    this.#isAway = false
  }

  async sessions(): Promise<number> {
    const response = await fetch(this.url.replace('ws:', 'http:') + '/healthz')
    return ((await response.json()) as { sessions: number }).sessions
  }

  /** Files and sockets that it has open, and its memory, in bytes. */
  holdings() {
    return { files: filesOf(this.pid), memory: memoryOf(this.pid) }
  }

  async close() {
    await this.kill()
    await this.link.close()
  }
}

async function start(args: string[], tell: (line: string) => void, host: Host | undefined) {
  const prefix = host ? inNamespace(host.namespace) : []
  const started = await startTier(args, { stderr: 'inherit', prefix })
  started.output.on('line', tell)
  return started
}
