// Reads mediasoup's type declarations, as far as the drift check needs them. They are what tsc
// writes, so a light parse will do; a TypeScript compiler is nothing that a user of `mafalda
// conformance drift` should need to have.

import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** A property or accessor, a method, or a method that answers with a Promise. */
export type Shape = 'property' | 'method' | 'async method'

export interface Declaration {
  /** Names of what it extends, or intersects with. */
  bases: string[]
  members: Map<string, Shape>
  /** Names of the members that are private or protected, or that a comment calls private. */
  internal: Set<string>
}

/** Every interface, class and object type that a release declares in node/lib, by name. */
export function readDeclarations(lib: string): Map<string, Declaration> {
  const files = readdirSync(lib).filter(name => name.endsWith('.d.ts'))
  return new Map(files.flatMap(name => parse(readFileSync(join(lib, name), 'utf8'))))
}

function parse(source: string): [string, Declaration][] {
  // Without the arrows' `>`, brackets are balanced. A comment may say what the language cannot:
  // that a member is private.
  const text = source
    .replaceAll(/\/\*[^]*?\*\/|\/\/.*/g, comment => (/@private\b/.test(comment) ? 'private ' : ''))
    .replaceAll('=>', '→')
  const heads = text.matchAll(
    /^(?:export )?(?:declare )?(?:abstract )?(interface|class|type) (\w+)/gm
  )
  return [...heads].map(match => {
    const [head, keyword, name = ''] = match
    const rest = text.slice(match.index + head.length)
    return [name, keyword === 'type' ? parseType(rest) : parseInterface(rest)]
  })
}

function parseInterface(text: string): Declaration {
  const start = indexOutside(text, '{')
  const [, bases = ''] = withoutGenerics(text.slice(0, start)).split(/\bextends\b/)
  return {
    bases: names(bases.split(/\bimplements\b/)[0] ?? '', ','),
    ...parseBody(text.slice(start))
  }
}

function parseType(text: string): Declaration {
  const definition = text.slice(indexOutside(text, '=') + 1, indexOutside(text, ';'))
  const start = indexOutside(definition, '{')
  const bases = names(withoutGenerics(start === -1 ? definition : definition.slice(0, start)), '&')
  return { bases, ...parseBody(start === -1 ? '{}' : definition.slice(start)) }
}

function parseBody(text: string): Pick<Declaration, 'members' | 'internal'> {
  const members = new Map<string, Shape>()
  const internal = new Set<string>()
  for (const statement of statements(text)) {
    const [, modifiers = '', name = '', type = ''] =
      /^\s*((?:\w+\s+)*)['"]?([\w@$]+)['"]?\??\s*([^]*)/.exec(statement) ?? []
    if (/\b(private|protected)\b/.test(modifiers)) internal.add(name)
    if (name && name !== 'constructor')
      members.set(name, /\b[gs]et\b/.test(modifiers) ? 'property' : shapeOf(type))
  }
  return { members, internal }
}

function* statements(body: string): Generator<string> {
  for (
    let rest = body.slice(1), end;
    (end = indexOutside(rest, ';')) !== -1;
    rest = rest.slice(end + 1)
  )
    yield rest.slice(0, end)
}

// `(a: A): B` and `: (a: A) → B` are methods, and so is `: typeof f`.
function shapeOf(type: string): Shape {
  const signature = type.replace(/^:\s*/, '')
  if (signature.startsWith('typeof ')) return 'method'
  const list = signature.startsWith('<') ? afterGenerics(signature) : signature
  if (!list.startsWith('(')) return 'property'
  const result = list.slice(closing(list) + 1).replace(/^\s*[:→]\s*/, '')
  return result.startsWith('Promise<') ? 'async method' : 'method'
}

const OPENING = '{([<'
const CLOSING = '})]>'

/**
 * Index of a character outside of all brackets, or -1; an opening bracket counts as outside of
 * itself.
 */
function indexOutside(text: string, wanted: string): number {
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    const character = text[i] ?? ''
    if (depth === 0 && character === wanted) return i
    if (OPENING.includes(character)) depth++
    if (CLOSING.includes(character) && --depth < 0) return -1
  }
  return -1
}

/** Index of the bracket that closes the first one. */
function closing(text: string): number {
  return 1 + indexOutside(text.slice(1), CLOSING[OPENING.indexOf(text[0] ?? '')] ?? '')
}

function afterGenerics(text: string): string {
  return text.slice(closing(text) + 1)
}

function withoutGenerics(text: string): string {
  const start = text.indexOf('<')
  return start === -1
    ? text
    : text.slice(0, start) + withoutGenerics(afterGenerics(text.slice(start)))
}

function names(list: string, separator: string): string[] {
  return list
    .split(separator)
    .map(name => name.trim())
    .filter(name => /^\w+$/.test(name))
}
