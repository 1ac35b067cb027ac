import { leaf } from '../../server/index.ts'
import { vertical as verticalTier } from '../../proxy/index.ts'
import type { Adapter } from './index.ts'

export const vertical: Adapter = {
  about: 'connect(url of serve(vertical(leaf(mediasoup)))): a Router that spans Workers',
  served: true,
  tier: ({ mediasoup, files }) => verticalTier(leaf(mediasoup, { allowFiles: [files] }))
}

export const scatter: Adapter = {
  about: 'vertical, with each transport on another Worker',
  served: true,
  hops: 1,
  tier: ({ mediasoup, files }) =>
    verticalTier(leaf(mediasoup, { allowFiles: [files] }), { policy: 'scatter', maxWorkers: 4 })
}
