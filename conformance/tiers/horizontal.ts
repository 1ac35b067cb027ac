import { remote } from '../../client/index.ts'
import { horizontal as horizontalTier } from '../../proxy/index.ts'
import type { Adapter } from './index.ts'

export const horizontal: Adapter = {
  about:
    'connect(url of serve(horizontal([remote(a), remote(b)]))): two hosts as one, Workers on them in turn',
  below: ['leaf', 'leaf'],
  served: true,
  tier: ({ below }) =>
    horizontalTier(
      below.map(url => remote(url)),
      { policy: 'scatter' }
    )
}
