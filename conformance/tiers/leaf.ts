import { leaf as leafTier } from '../../server/index.ts'
import type { Adapter } from './index.ts'

export const leaf: Adapter = {
  about: 'connect(url of serve(leaf(mediasoup))): one host, over a WebSocket',
  served: true,
  tier: ({ mediasoup, files }) => leafTier(mediasoup, { allowFiles: [files] })
}
