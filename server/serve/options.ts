// What serve() takes and gives.

import type { pino } from 'pino'
import type { WebhookFigures } from '../../lib/figures.ts'
import type { Route } from '../../lib/http-routes.ts'
import type { SocketOptions } from '../../lib/socket-options.ts'
import type { Audit, AuditRecord } from './audit.ts'
import type { TrustedProxies } from './client-address.ts'
import type { HealthAddress } from './health.ts'
import type { ServerTls } from './http.ts'
import type { Limits } from './limits.ts'
import type { TokenOptions } from './tokens.ts'

export interface ServeOptions extends SocketOptions, TrustedProxies {
  /** Default 127.0.0.1. */
  host?: string
  /** Default 0: the system chooses. */
  port?: number
  /**
   * Serves `wss://`; with a `ca`, only to clients with a certificate of it. Files are read again
   * within a second of a change.
   */
  tls?: ServerTls
  /** Lets in only clients with a token, which may do what it allows. */
  tokens?: TokenOptions
  /**
   * Who is not let in any more, as lines `sub SUBJECT` and `jti ID`: the path of a file, which is
   * read again, or its contents. Their open sessions end at once.
   */
  deny?: string | Buffer
  /**
   * What client certificates allow, as JSON: pattern of subjects → `{ scope, limits }`; the path of a
   * file, which is read again, or its contents. Default: everything.
   */
  clientScopes?: string | Buffer
  /** How long a session may be open, in ms. Default: any time. */
  maxSessionAge?: number
  /**
   * What sessions may ask for, and how many there may be: some of `sessions`, `rate`, `inFlight`,
   * `workers`, … (see limits.ts).
   */
  limits?: Partial<Limits>
  /**
   * Whether other hosts may reach the tier without tokens or client certificates. Default false:
   * serve() rejects.
   */
  insecure?: boolean
  /**
   * Origins of pages from which browsers may connect (`https://app.example`), or `*`. Default:
   * none. Other clients need none.
   */
  allowOrigins?: string[]
  /** Serves the monitor's page under `/monitor/`, from where browsers may connect. Default false. */
  monitor?: boolean
  /**
   * What else is answered over HTTP on the port of clients, such as the rooms of a registry. Default:
   * nothing.
   */
  routes?: readonly Route[]
  /** How long a session outlives its connection, in ms; 0: not at all. Default 30 s. */
  grace?: number
  /**
   * How many bytes all sessions together may keep: for peers that do not take them, here and on the
   * tiers below, and with the objects that this process has. Above nine tenths, no new sessions come
   * in; above all of it, the session that keeps most ends. Default: a quarter of what V8's heap,
   * or the memory of the machine, may be.
   */
  maxMemory?: number
  /** Where /healthz and /readyz are. Default: on the port of clients. */
  healthListen?: HealthAddress
  /**
   * Whether /metrics, for Prometheus, is on the port of clients: for programs of this host, and for
   * whoever may operate the tier. Default false.
   */
  metrics?: boolean
  /** What a registry has told to an application, for the metrics. */
  webhooks?: (() => WebhookFigures | undefined) | undefined
  /** Where else /metrics is, for everybody who reaches it there. Default: nowhere. */
  metricsListen?: HealthAddress
  /** Is told who came in, was refused, and left. */
  audit?: (record: AuditRecord) => void
  /** Default: warnings and errors, to stdout. */
  logger?: pino.Logger
}

export interface Server {
  /** Where clients connect to: `ws://host:port`, or `wss://`. */
  readonly url: string
  /** Where /healthz and /readyz are, if on a listener of their own: `http://host:port`. */
  readonly healthUrl: string | undefined
  /** Where /metrics is, if on a listener of its own: `http://host:port`. */
  readonly metricsUrl: string | undefined
  /** How many sessions are open. */
  readonly sessions: number
  /**
   * Reads the files of `tls`, `tokens`, `deny` and `clientScopes` again, at once. Open sessions of
   * whoever is still let in go on.
   */
  reload(): void
  /** Adds a record to the audit: what did not come from a client. */
  audit: Audit['audit']
  /**
   * Ends every session, with its objects; resolves when the port is free.
   *
   * @param options.comesBack leaves the objects of the sessions on the tiers below for the grace
   *   period there: another process takes over, and they go on. Only for a resumable tier.
   */
  close(options?: { comesBack?: boolean }): Promise<void>
}
