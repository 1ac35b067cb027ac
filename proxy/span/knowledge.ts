// What a session on a vertical tier knows of its client's objects, and who sees to them: until the client recalls all that
// there is, when it is found anew.

import type { Handle } from '../../lib/wire.ts'
import { Pipes } from '../pipes.ts'
import type { SpanSettings } from '../vertical.ts'
import type { Below } from './below.ts'
import { Growth } from './growth.ts'
import { Objects } from './objects.ts'
import { Replicas } from './replicas.ts'
import { Spans } from './spans.ts'

export interface Surroundings {
  below: Below
  settings: SpanSettings
  /** The id of the session, by which parts are found again. */
  session: string
  nextHandle(): Handle
  /** A Worker below is on a node. */
  onNode(node: string): void
}

export class Knowledge {
  readonly below: Below
  readonly session: string
  readonly nextHandle: () => Handle
  readonly spans: Spans
  readonly growth: Growth
  // The client sees none of these.
  readonly pipes: Pipes
  readonly replicas: Replicas

  constructor({ below, settings, session, nextHandle, onNode }: Surroundings) {
    this.below = below
    this.session = session
    this.nextHandle = nextHandle
    this.pipes = new Pipes(session, () => {}, handle => this.replicas.ended(handle))
    this.replicas = new Replicas(this.pipes, below, settings.linger)
    this.spans = new Spans(this.pipes, new Objects(this.replicas, worker => this.growth.giveBackLater(worker)))
    this.growth = new Growth(this.spans, this.replicas, below.caller, settings, session, onNode)
  }

  end() {
    this.growth.end()
    this.replicas.end()
    this.spans.objects.end()
  }
}
