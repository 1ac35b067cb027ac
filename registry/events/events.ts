// What a registry tells to applications. Without a webhook it tells nothing, and nothing is kept to be
// told.

import type { WebhookFigures } from '../../lib/figures.ts'
import type { Fleet } from '../hosts/fleet.ts'
import type { Log } from '../log.ts'
import type { Place, Store } from '../store/store.ts'
import { conditionOf } from './condition.ts'
import { HostStates } from './host-states.ts'
import { type Publish, type WantedEvent, publishNothing, publisher } from './publish.ts'
import { type WebhookSettings, openWebhooks } from './webhooks.ts'

export interface WebhookOptions extends WebhookSettings {
  /** Who tells, as a URI: CloudEvents' `source`. Default: `mafalda`. */
  source?: string | undefined
}

export interface EventsOptions {
  store: Store
  fleet: Fleet
  /** The name of this registry in the store. */
  registry: string
  webhook: WebhookOptions | undefined
  /** How many hosts there should be; undefined where nobody says. */
  wanted(): WantedEvent | undefined
  log: Log
}

export interface Events {
  readonly publish: Publish
  /** Undefined without a webhook. */
  readonly counts: WebhookFigures | undefined
  /** Where a room is: told once, though all who ask for it say so. */
  placed(place: Place): Promise<void>
  /** A room is about to be deleted. */
  closed(room: string): Promise<void>
  close(): Promise<void>
}

/** @throws TypeError for the URL of a webhook that cannot be one */
export function openEvents(options: EventsOptions): Events {
  const { store, fleet, registry, webhook, wanted, log } = options
  const publish = webhook ? publisher(store, webhook.source ?? 'mafalda') : publishNothing
  const webhooks = webhook && openWebhooks({ ...webhook, store, registry, log })
  const hosts =
    webhook &&
    new HostStates({
      store,
      registry,
      publish,
      conditionOf: ({ id }, was) => conditionOf(fleet.stateOf(id), fleet.loadOf(id), was),
      wanted,
      log
    })
  return {
    publish,
    get counts() {
      return webhooks?.counts
    },
    async placed({ room, host, epoch }) {
      await publish('room.moved', { room, host, url: fleet.get(host)?.url, epoch })
    },
    async closed(room) {
      await publish('room.closed', { room })
    },
    async close() {
      await hosts?.close()
      await webhooks?.close()
    }
  }
}
