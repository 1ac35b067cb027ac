// The page as a whole.

import { Details } from './details.tsx'
import { Header } from './header.tsx'
import { kindOf, nameOf } from './format.ts'
import { TimelineList, WarningList } from './lists.tsx'
import { Login } from './login.tsx'
import { TreeMap } from './map.tsx'
import type { Store } from './store.ts'
import { Tables } from './tables.tsx'
import { TotalsRow } from './totals.tsx'
import { useStore } from './use-store.ts'

export function App({ store }: { store: Store }) {
  useStore(store)
  const { state, focus, reason } = store
  if (state === 'refused') return <Login store={store} />
  return (
    <>
      <Header store={store} />
      {state === 'connecting' && focus && (
        <p class="notice" role="alert">
          There is no connection to the tier, and this is what it was. {reason}
        </p>
      )}
      {focus ? (
        <main>
          <h1 class="unseen">The tree of this tier</h1>
          <TotalsRow store={store} />
          <Path store={store} />
          <div class="columns">
            <div class="wide">
              <TreeMap store={store} focus={focus} />
              <Tables store={store} focus={focus} />
            </div>
            <aside class="side" aria-label="Details and what happens">
              <Details store={store} focus={focus} />
              <WarningList store={store} />
              <TimelineList store={store} />
            </aside>
          </div>
        </main>
      ) : (
        <main class="empty">
          <h1>Connecting to the tier…</h1>
          <p role="status">{reason}</p>
        </main>
      )}
    </>
  )
}

function Path({ store }: { store: Store }) {
  const path = store.tree.path(store.focus!.id)
  return (
    <nav class="path" aria-label="Where you look">
      <ol>
        {path.map((entry, i) => (
          <li key={entry.id}>
            <a
              href={`#${i === 0 ? 'all' : encodeURIComponent(entry.id)}`}
              aria-current={i === path.length - 1 ? 'location' : undefined}
            >
              {kindOf(entry)} <code>{nameOf(entry)}</code>
            </a>
          </li>
        ))}
      </ol>
    </nav>
  )
}
