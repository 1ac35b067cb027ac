// How many hosts are wanted, over HTTP: for KEDA and scripts, and in the words of Agones.

import { Problem, type Route } from '../../lib/http-routes.ts'
import type { Wanted } from '../../lib/wanted.ts'
import * as schemas from './schemas.ts'

export interface ScaleRoutesOptions {
  /** What was decided last. */
  wanted(): Wanted | undefined
}

export const scaleRoutes = ({ wanted }: ScaleRoutesOptions): Route[] => [
  {
    method: 'GET',
    path: '/scale',
    scope: 'operate',
    summary: 'How many hosts there should be',
    answers: { 200: { description: 'As it was decided last', schema: schemas.wanted } },
    answer() {
      const { remove: _remove, keep: _keep, asked: _asked, ...told } = wanted() ?? undecided()
      return { body: told }
    }
  },
  {
    method: 'POST',
    path: '/scale',
    scope: 'operate',
    summary: 'The same for a FleetAutoscaler of Agones, as its webhook',
    body: schemas.review,
    answers: { 200: { description: 'With a response', schema: schemas.review } },
    answer({ body }) {
      const { request } = Object(body) as { request?: unknown }
      const { uid, status } = Object(request) as { uid?: unknown; status?: unknown }
      const { replicas } = Object(status) as { replicas?: unknown }
      if (typeof uid !== 'string' || typeof replicas !== 'number')
        throw new Problem(400, 'a review has request.uid and request.status.replicas')
      const { hosts } = wanted() ?? undecided()
      return { body: { request, response: { uid, scale: hosts !== replicas, replicas: hosts } } }
    }
  }
]

function undecided(): never {
  throw new Problem(503, 'how many hosts there should be is not decided yet', {
    'retry-after': '1'
  })
}
