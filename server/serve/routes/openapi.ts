// The OpenAPI document of a table of routes.

import { STATUS_CODES } from 'node:http'
import type { Route } from '../../../lib/http-routes.ts'
import { version } from '../../../lib/version.ts'

const problem = {
  type: 'object',
  description: 'RFC 9457',
  required: ['type', 'title', 'status', 'detail'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string', description: 'What was wrong, and what is allowed' }
  }
} as const

// What each route may answer, beside its own.
const REFUSALS = [400, 401, 403, 429, 503]

/** @see https://spec.openapis.org/oas/v3.1.1 */
export function openApi(routes: readonly Route[]) {
  const paths: Record<string, Record<string, object>> = {}
  for (const route of routes)
    (paths[route.path] ??= {})[route.method.toLowerCase()] = operationOf(route)
  return {
    openapi: '3.1.1',
    info: {
      title: 'Mafalda',
      version,
      summary: 'Hosts that register, and the rooms on them',
      license: { name: 'ISC', identifier: 'ISC' }
    },
    paths,
    components: {
      schemas: { Problem: problem },
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
        certificate: { type: 'mutualTLS' }
      }
    }
  }
}

function operationOf({ method, path, scope, summary, query = {}, body, answers }: Route) {
  const parameters = [
    ...[...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
      name,
      in: 'path',
      required: true,
      schema: { type: 'string' }
    })),
    ...Object.entries(query).map(([name, schema]) => ({ name, in: 'query', schema }))
  ]
  return {
    operationId: `${method.toLowerCase()}${path.replace(/[^a-z]+([a-z]?)/gi, (_, letter) => letter.toUpperCase())}`,
    summary,
    ...(scope && {
      description: `Needs the scope ${scope}.`,
      security: [{ token: [scope] }, { certificate: [] }, {}]
    }),
    parameters,
    ...(body && { requestBody: { content: { 'application/json': { schema: body } } } }),
    responses: {
      ...Object.fromEntries(REFUSALS.map(status => [status, refusal(STATUS_CODES[status]!)])),
      ...Object.fromEntries(
        Object.entries(answers).map(([status, { description, schema }]) => [
          status,
          Number(status) >= 400
            ? refusal(description)
            : { description, ...(schema && { content: { 'application/json': { schema } } }) }
        ])
      )
    }
  }
}

const refusal = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } }
})
