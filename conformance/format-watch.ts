// What was found of a new release, as Markdown: the heading is the title of an issue.

import { formatDrift } from './drift/format.ts'
import { formatReport } from './format.ts'
import type { Watch } from './watch.ts'

export function formatWatch({ mediasoup, installed, found }: Watch): string {
  if (!found) return `# mediasoup ${mediasoup} is not new`
  const { drift, conformance, differs } = found
  return [
    `# mediasoup ${mediasoup} ${differs ? 'differs' : 'does not differ'} from what Mafalda serves`,
    `Compared with mediasoup ${installed}.`,
    '## API',
    block('error' in drift ? `It could not be compared: ${drift.error}` : formatDrift(drift)),
    '## Conformance',
    block(
      'error' in conformance
        ? `It could not be tested: ${conformance.error}`
        : formatReport(conformance)
    )
  ].join('\n\n')
}

// Indented, and not fenced: messages of tests may have fences in them.
const block = (text: string) => text.replaceAll(/^/gm, '    ')
