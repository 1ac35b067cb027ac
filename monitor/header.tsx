// The bar at the top: which tier, whether there is a connection, and what concerns all of the page.

/// <reference lib="dom" />
import { useState } from 'preact/hooks'
import { clock, kindOf, nameOf } from './format.ts'
import type { Store } from './store.ts'

const STATES = {
  connecting: 'Connecting',
  open: 'Live',
  refused: 'Not let in',
  closed: 'Closed'
} as const

export function Header({ store }: { store: Store }) {
  const { tree, state, paused } = store
  const { root } = tree
  return (
    <header class="top">
      <a class="brand" href="#all" aria-label="Mafalda monitor: the whole tree">
        <img src="icon.svg" alt="" width="24" height="24" />
        <span>
          Mafalda <em>monitor</em>
        </span>
      </a>
      {root && (
        <p class="about">
          {kindOf(root)} <code>{nameOf(root)}</code>
          <small>
            Mafalda {root.mafalda} · mediasoup {root.mediasoup}
          </small>
        </p>
      )}
      <p class={`state ${paused ? 'paused' : state}`} role="status">
        <i aria-hidden="true" />
        {paused ? 'Paused' : STATES[state]}
        {store.at > 0 && <time>{clock(store.at)}</time>}
      </p>
      <div class="tools">
        <button
          type="button"
          aria-pressed={paused}
          disabled={!root}
          onClick={() => store.pause(!paused)}
        >
          {paused ? 'Go on' : 'Pause'}
        </button>
        <CopyButton store={store} />
      </div>
    </header>
  )
}

function CopyButton({ store }: { store: Store }) {
  const [said, say] = useState('Copy as JSON')
  const { focus, tree, at } = store
  async function copy() {
    const entries = tree.below(focus!.id)
    try {
      await navigator.clipboard.writeText(JSON.stringify({ at, entries }, null, 2))
      say(`${entries.length} entries copied`)
    } catch (error) {
      say((error as Error).message)
    }
    setTimeout(() => say('Copy as JSON'), 2_000)
  }
  return (
    <button type="button" disabled={!focus} onClick={copy} aria-live="polite">
      {said}
    </button>
  )
}
