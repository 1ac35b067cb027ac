// A drift as text, a line for each difference.

import type { Drift, DriftEntry } from './index.ts'

export function formatDrift({ mediasoup, entries }: Drift): string {
  if (!entries.length) return `mediasoup ${mediasoup} is what the model describes.`
  return [`mediasoup ${mediasoup} differs from the model:`, ...entries.map(formatEntry)].join('\n')
}

function formatEntry({ kind, name, what, change, model, release, seen }: DriftEntry): string {
  const subject = name ? `${what} ${kind}.${name}` : `kind ${kind}`
  const detail = change === 'changed' ? `: ${model} in the model, ${release} in the release` : ''
  return `  ${change} ${subject}${detail}${where(what, seen)}`
}

// Events are only in the types, and errors are only looked for at run time.
function where(what: DriftEntry['what'], seen: DriftEntry['seen']): string {
  if (seen.length === 2 || what === 'event' || what === 'error') return ''
  return seen[0] === 'types' ? ' (only in the types)' : ' (only at run time)'
}
