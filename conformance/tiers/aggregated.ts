import { remote } from '../../client/index.ts'
import { horizontal, vertical, type VerticalOptions } from '../../proxy/index.ts'
import type { Adapter, Surroundings } from './index.ts'

const over =
  (options?: VerticalOptions) =>
  ({ below }: Surroundings) =>
    vertical(
      horizontal(
        below.map(url => remote(url)),
        { policy: 'scatter' }
      ),
      options
    )

export const aggregated: Adapter = {
  about:
    'connect(url of serve(vertical(horizontal([remote(a), remote(b)])))): a Router that spans hosts',
  below: ['leaf', 'leaf'],
  served: true,
  tier: over()
}

export const aggregatedScatter: Adapter = {
  about: 'aggregated, with each transport on another Worker',
  below: ['leaf', 'leaf'],
  served: true,
  hops: 2,
  tier: over({ policy: 'scatter', maxWorkers: 4 })
}

export const threeLevels: Adapter = {
  about: 'vertical over [a cluster of two leaves, a vertical leaf], each in a process of its own',
  below: ['horizontal', 'vertical'],
  served: true,
  tier: over()
}
