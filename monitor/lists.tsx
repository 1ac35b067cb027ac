// What an operator should look at, and what happened.

import { clock, duration, titleOf } from './format.ts'
import type { Store } from './store.ts'

export function WarningList({ store }: { store: Store }) {
  const warnings = store.warnings.list(store.at)
  return (
    <section class="panel" aria-labelledby="warnings-title">
      <h2 id="warnings-title">
        Warnings <small class={warnings.length ? 'count bad' : 'count'}>{warnings.length}</small>
      </h2>
      {warnings.length === 0 && <p class="nothing">All is well.</p>}
      <ul class="list warnings" aria-live="polite">
        {warnings.slice(0, MAX_WARNINGS).map(({ id, severity, text, since }) => {
          const entry = store.tree.get(id)
          return (
            <li key={id} class={`is-${severity}`}>
              <a href={`#${encodeURIComponent(id)}`}>
                <b>{entry ? titleOf(entry) : id}</b>
                <span>{text}</span>
                <time>for {duration(Math.max(0, store.at - since))}</time>
              </a>
            </li>
          )
        })}
        {warnings.length > MAX_WARNINGS && <li>and {warnings.length - MAX_WARNINGS} more</li>}
      </ul>
    </section>
  )
}

const MAX_WARNINGS = 50

export function TimelineList({ store }: { store: Store }) {
  const { list } = store.timeline
  return (
    <section class="panel timeline" aria-labelledby="timeline-title">
      <h2 id="timeline-title">Time line</h2>
      {list.length === 0 && <p class="nothing">Nothing has happened since you are here.</p>}
      <ol class="list" aria-live="polite">
        {list.map(({ at, tone, text, id }, i) => (
          <li key={list.length - i} class={tone}>
            <time>{clock(at)}</time>
            {id && store.tree.get(id) ? (
              <a href={`#${encodeURIComponent(id)}`}>{text}</a>
            ) : (
              <span>{text}</span>
            )}
          </li>
        ))}
      </ol>
    </section>
  )
}
