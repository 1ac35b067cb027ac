// The store of a registry that is alone.

import { MemoryStore } from '../../registry/store/memory-store.ts'
import { storeSuite } from './store-suite.ts'

storeSuite('in memory', async () => {
  let store: MemoryStore | undefined
  return { open: async options => (store ??= new MemoryStore(options)), end: () => {} }
}).run()
