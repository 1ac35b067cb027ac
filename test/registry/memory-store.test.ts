// The store of a registry that is alone.

import { MemoryStore } from '../../registry/store/memory-store.ts'
import { storeSuite } from './store-suite.ts'

storeSuite('in memory', async () => {
  const store = new MemoryStore()
  return { open: async () => store, end: () => {} }
}).run()
