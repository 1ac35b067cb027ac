// What is asked for with `tier.survey`, checked.

import { ProtocolError, codes } from './errors.ts'
import { SURVEY_DETAILS, type SurveyOptions } from './survey.ts'
import type { View } from './survey-view.ts'

const MAX_VIEWS = 17
const MAX_LIMIT = 100_000
const MAX_ENTRIES = 20_000

/** What somebody looks at. */
export interface Look {
  views: readonly View[]
  most: number
  subscribe: boolean
}

// → {"id": 10, "method": "tier.survey", "params": [{"detail": "workers", "also": [{"under": "k3x/17", "detail": "all"}]}]}
/** @throws ProtocolError for what is none */
export function lookOf(options: unknown): Look {
  const { also = [], most = 10_000, subscribe = true, ...first } = objectOf(options, 'its option')
  if (!Array.isArray(also) || also.length >= MAX_VIEWS)
    throw wrong(`also is a list of at most ${MAX_VIEWS - 1} views`)
  if (typeof subscribe !== 'boolean') throw wrong('subscribe is true or false')
  return {
    views: [first, ...also].map(viewOf),
    most: integerOf('most', most, 1, MAX_ENTRIES),
    subscribe
  }
}

function viewOf(value: unknown): View {
  const { detail = 'routers', under, limit = 200 } = objectOf(value, 'a view')
  if (!SURVEY_DETAILS.includes(detail as View['detail']))
    throw wrong(`detail is one of ${SURVEY_DETAILS.join(', ')}`)
  if (under !== undefined && typeof under !== 'string') throw wrong('under is the id of an entry')
  return { detail: detail as View['detail'], under, limit: integerOf('limit', limit, 0, MAX_LIMIT) }
}

function objectOf(value: unknown, name: string): Record<keyof SurveyOptions, unknown> {
  if (value === undefined || value === null) return {} as Record<keyof SurveyOptions, unknown>
  if (typeof value !== 'object' || Array.isArray(value)) throw wrong(`${name} is an object`)
  return value as Record<keyof SurveyOptions, unknown>
}

function integerOf(name: string, value: unknown, least: number, most: number): number {
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most)
    return value as number
  throw wrong(`${name} is a whole number from ${least} to ${most}`)
}

const wrong = (rule: string) => new ProtocolError(codes.params, `tier.survey: ${rule}`)
