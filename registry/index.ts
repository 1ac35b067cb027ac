// Hosts that come and go, and rooms on them.

export type { Host, HostChange, HostStatus, Hosts } from './host.ts'
export { openRegistry, type Registry, type RegistryOptions } from './registry.ts'
export { openStore } from './store/open-store.ts'
export { MemoryStore } from './store/memory-store.ts'
export {
  type Assignment,
  type Place,
  type Store,
  type StoredEvent,
  StoreError
} from './store/store.ts'
