// What a session on a vertical tier knows of its client's objects, and who sees to them.

import type { Handle } from '../../lib/wire.ts'
import { Pipes } from '../pipes.ts'
import type { VerticalSettings } from './settings.ts'
import { BorrowedRouters } from './borrowed-routers.ts'
import { Builder } from './builder.ts'
import type { Downstream } from './downstream.ts'
import { Objects } from './objects.ts'
import { RecentlyClosed } from './recently-closed.ts'
import { Replicas } from './replicas.ts'
import { Scaler } from './scaler.ts'
import { Tables } from './tables.ts'

export interface SessionContext {
  below: Downstream
  settings: VerticalSettings
  /** The id of the session, by which parts are found again. */
  session: string
  nextHandle(): Handle
  /** A Worker below is on a node. */
  onNode(node: string): void
}

export class SessionState {
  readonly below: Downstream
  readonly session: string
  readonly nextHandle: () => Handle
  readonly tables: Tables
  readonly builder: Builder
  readonly scaler: Scaler
  // The client sees none of these.
  readonly pipes: Pipes
  readonly replicas: Replicas
  readonly borrowed = new BorrowedRouters()

  constructor({ below, settings, session, nextHandle, onNode }: SessionContext) {
    this.below = below
    this.session = session
    this.nextHandle = nextHandle
    this.pipes = new Pipes(
      session,
      () => {},
      handle => this.replicas.ended(handle)
    )
    this.replicas = new Replicas(this.pipes, below, settings.linger)
    const closed = new RecentlyClosed(settings.closed)
    this.tables = new Tables(
      this.pipes,
      new Objects(this.replicas, closed, worker => this.scaler.giveBackLater(worker)),
      closed
    )
    this.builder = new Builder(this.tables, below, settings.tierLoad, session, onNode, part =>
      this.replicas.locate(part)
    )
    this.scaler = new Scaler(this.tables, this.builder, this.replicas, below, settings)
  }

  end() {
    this.scaler.end()
    this.replicas.end()
    this.tables.closed.end()
  }
}
