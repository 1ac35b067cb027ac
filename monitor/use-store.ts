// Draws a component again when the store has something new.

import { useEffect, useReducer } from 'preact/hooks'
import type { Store } from './store.ts'

export function useStore(store: Store) {
  const [, draw] = useReducer((drawn: number) => drawn + 1, 0)
  useEffect(() => store.subscribe(() => draw(undefined as never)), [store])
}
