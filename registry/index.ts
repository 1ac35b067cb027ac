// Hosts that come and go, and rooms on them.

export type { Host, HostChange, HostStatus, Hosts } from './host.ts'
export type { Events, WebhookOptions } from './events/events.ts'
export type { EventData, EventType } from './events/publish.ts'
export { parseSecrets } from './events/secrets.ts'
export { Members, type LiveSet, type MembersOptions } from './hosts/members.ts'
export { checkSource, hostsAt, isSource } from './hosts/sources.ts'
export { openRegistry, type Registry, type RegistryOptions } from './registry.ts'
export { type Scaling, type ScalingOptions, scaling } from './scale/scaling.ts'
export { openStore } from './store/open-store.ts'
export { MemoryStore } from './store/memory-store.ts'
export { type RedisStoreOptions, openRedisStore } from './store/redis-store.ts'
export {
  type Assignment,
  type Place,
  type Store,
  type StoredEvent,
  StoreError
} from './store/store.ts'
