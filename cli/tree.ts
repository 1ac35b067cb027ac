// `mafalda tree`: what there is on a tier and below it, once.

import type { Survey, SurveyDetail, SurveyEntry } from '../lib/survey.ts'
import type { AccessOptions } from './access.ts'
import { ask } from './ask.ts'
import { nameOf, stateOf, trafficOf, useOf } from './survey-text.ts'

interface Options extends AccessOptions {
  detail: SurveyDetail
  under?: string
  limit: number
  json?: boolean
}

export async function tree(url: string, { detail, under, limit, json, ...access }: Options) {
  const options = { detail, under, limit, subscribe: false }
  const { entries } = (await ask(url, access, 'tier.survey', options)) as Survey
  if (json) return console.log(JSON.stringify(entries, null, 2))
  if (!entries.length) throw new Error(`there is nothing with the id ${under} on ${url}`)
  for (const line of treeOf(entries)) console.log(line)
}

/** One line for each, below what it is part of. */
export function treeOf(entries: readonly SurveyEntry[]): string[] {
  const ids = new Set(entries.map(({ id }) => id))
  const children = Map.groupBy(entries, ({ of }) => (of !== null && ids.has(of) ? of : null))
  const linesOf = (parent: string | null): string[] => {
    const siblings = children.get(parent) ?? []
    return siblings.flatMap((entry, i) => {
      const [head, ...others] = [lineOf(entry), ...linesOf(entry.id)]
      if (parent === null) return [head, ...others]
      const isLast = i === siblings.length - 1
      const [first, next] = isLast ? ['└─ ', '   '] : ['├─ ', '│  ']
      return [first + head, ...others.map(line => next + line)]
    })
  }
  return linesOf(null)
}

function lineOf(entry: SurveyEntry): string {
  const kind = entry.kind === 'tier' ? entry.tier : entry.kind === 'rest' ? entry.rest : entry.kind
  const use = entry.kind === 'tier' ? `${useOf(entry)} cores` : useOf(entry)
  const [incoming, outgoing] = trafficOf(entry)
  const traffic = incoming && `in ${incoming}, out ${outgoing}`
  const text = [entry.kind === 'tier' && entry.problem ? '' : use, traffic, stateOf(entry)]
  return `${kind} ${nameOf(entry)}  ${text.filter(Boolean).join(', ')}`.trimEnd()
}
