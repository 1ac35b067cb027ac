// What a release of mediasoup offers, read from it in two ways: its declared types, and the objects
// it really makes.

import { createRequire } from 'node:module'
import { join } from 'node:path'

import { readDeclarations, type Declaration, type Shape } from './declarations.ts'

export interface Surface {
  members: Map<string, Shape>
  /** Names of the members that are not for applications; the model may have them nevertheless. */
  internal: Set<string>
  /** The event's arguments are not compared, only who emits it. */
  events?: Map<string, 'self' | 'observer' | 'both'>
}

/** mediasoup itself, which has no class. */
const MODULE = 'mediasoup'

/** What the client writes by hand for every kind, and modules within the module. */
const common = new Set([
  'closed',
  'close',
  'appData',
  'observer',
  'types',
  'errors',
  'ortc',
  'extras'
])
const isPublic = (name: string) =>
  !common.has(name) && !name.startsWith('@') && !name.endsWith('ForTesting')

/** Kind → what its types declare. */
export function declaredSurface(folder: string): Map<string, Surface> {
  const declarations = readDeclarations(join(folder, 'node/lib'))
  const members = (name: string) =>
    family(name, declarations).flatMap(declaration => [...declaration.members])
  const eventNames = (name: string) =>
    new Set(
      members(name)
        .map(([event]) => event)
        .filter(isEvent)
    )
  const surfaceOf = (type: string, events: string, observer: string): Surface => ({
    members: publicOnly(members(type)),
    internal: internalOf(type, declarations),
    events: emitters(eventNames(events), eventNames(observer))
  })
  return new Map(
    kindsOf(declarations).map(kind =>
      kind === MODULE
        ? [kind, surfaceOf('Index', '', 'ObserverEvents')]
        : [kind, surfaceOf(kind, `${kind}Events`, `${kind}ObserverEvents`)]
    )
  )
}

/** Kind → what its class, and its bases, have at run time. */
export function liveSurface(folder: string): Map<string, Surface> {
  const lib = join(folder, 'node/lib')
  const load = createRequire(join(lib, 'index.js'))
  const declarations = readDeclarations(lib)
  const surfaceOf = (kind: string): Surface => ({
    members: publicOnly(
      kind === MODULE
        ? ownMembers(load('./index.js'))
        : classMembers(load(`./${kind}.js`)[`${kind}Impl`])
    ),
    internal: new Set([
      ...internalOf(kind, declarations),
      ...internalOf(`${kind}Impl`, declarations)
    ])
  })
  return new Map(kindsOf(declarations).map(kind => [kind, surfaceOf(kind)]))
}

/** Names of its classes of errors. */
export function errorNames(folder: string): string[] {
  return ownMembers(createRequire(join(folder, 'node/lib/index.js'))('./errors.js')).map(
    ([name]) => name
  )
}

/** The declaration of this name after those that it extends. */
function family(name: string, declarations: Map<string, Declaration>): Declaration[] {
  const declaration = declarations.get(name)
  if (!declaration || name === 'EnhancedEventEmitter') return []
  return [...declaration.bases.flatMap(base => family(base, declarations)), declaration]
}

function internalOf(name: string, declarations: Map<string, Declaration>): Set<string> {
  return new Set(family(name, declarations).flatMap(({ internal }) => [...internal]))
}

// Kinds are what has an interface and a class, except those that are only bases of others.
function kindsOf(declarations: Map<string, Declaration>): string[] {
  const kinds = [...declarations.keys()].filter(name => declarations.has(`${name}Impl`))
  const bases = new Set(kinds.flatMap(name => declarations.get(name)?.bases ?? []))
  return [MODULE, ...kinds.filter(name => !bases.has(name))]
}

// mediasoup's own classes are the Impl ones; above them is the emitter.
function classMembers({ name, prototype }: { name: string; prototype: object }): [string, Shape][] {
  if (!name.endsWith('Impl')) return []
  return [...classMembers(Object.getPrototypeOf(prototype).constructor), ...ownMembers(prototype)]
}

function ownMembers(object: object): [string, Shape][] {
  const isModule = '__esModule' in object
  return Object.entries(Object.getOwnPropertyDescriptors(object))
    .filter(([name]) => name !== '__esModule' && name !== 'constructor')
    .map(([name, { value, get }]) => [name, shapeOf(isModule && get ? get.call(object) : value)])
}

function shapeOf(value: unknown): Shape {
  if (typeof value !== 'function') return 'property'
  return value.constructor.name === 'AsyncFunction' ? 'async method' : 'method'
}

function publicOnly(members: [string, Shape][]): Map<string, Shape> {
  return new Map(members.filter(([name]) => isPublic(name)))
}

function isEvent(name: string): boolean {
  return name !== 'close' && name !== 'listenererror' && !name.startsWith('@')
}

function emitters(
  self: Set<string>,
  observer: Set<string>
): Map<string, 'self' | 'observer' | 'both'> {
  return new Map(
    [...new Set([...self, ...observer])].map(name => [
      name,
      !observer.has(name) ? 'self' : self.has(name) ? 'both' : 'observer'
    ])
  )
}
