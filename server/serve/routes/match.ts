// Which route a request is for.

import { Problem, type Route } from '../../../lib/http-routes.ts'

export interface Match {
  route: Route
  params: Record<string, string>
}

const PARAMETER = /^\{(\w+)\}$/

/** Answers undefined for paths that no route begins like. */
export function matcher(routes: readonly Route[]) {
  const compiled = routes.map(route => ({ route, segments: segmentsOf(route.path) }))
  const firsts = new Set(compiled.map(({ segments }) => segments[0]))
  return (method: string, path: string): Match | undefined => {
    const segments = segmentsOf(path)
    if (!firsts.has(segments[0])) return undefined
    const here = compiled.filter(({ segments: pattern }) => isLike(segments, pattern))
    if (!here.length)
      throw new Problem(404, `there is no ${path}: /openapi.json tells which paths there are`)
    const wanted = method === 'HEAD' ? 'GET' : method
    const found = here.find(({ route }) => route.method === wanted)
    if (found) return { route: found.route, params: paramsIn(segments, found.segments) }
    const allow = here.map(({ route }) => route.method).join(', ')
    throw new Problem(405, `${path} has ${allow} (got ${method})`, { allow })
  }
}

const segmentsOf = (path: string) => path.split('/').slice(1)

const isLike = (segments: readonly string[], pattern: readonly string[]) =>
  segments.length === pattern.length &&
  pattern.every((part, i) => PARAMETER.test(part) || part === segments[i])

function paramsIn(segments: readonly string[], pattern: readonly string[]) {
  const params: Record<string, string> = {}
  for (const [i, part] of pattern.entries()) {
    const [, name] = PARAMETER.exec(part) ?? []
    if (name !== undefined) params[name] = decoded(segments[i]!)
  }
  return params
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw new Problem(400, 'what a path has after % must be UTF-8')
  }
}
