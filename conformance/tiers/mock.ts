import { leaf } from '../../server/index.ts'
import type { Adapter } from './index.ts'

export const mock: Adapter = {
  about: 'client(leaf(mediasoup)): the same without a network',
  tier: ({ mediasoup, files }) => leaf(mediasoup, { allowFiles: [files] })
}
