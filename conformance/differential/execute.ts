// Runs a program on a mediasoup, and writes down what an application would notice.

import { readFileSync } from 'node:fs'
import { type Command, type Program, type Template, isBytes, isRef } from './program.ts'
import { noteResult, reasonNotToPipe } from './pipes.ts'
import { quiesce, roundsAfter } from './quiesce.ts'
import type { Stage } from './stage.ts'
import { type Streams, type Subject, type Thing, World } from './world.ts'

const MAX_ANSWER_MS = 2_000

/** How a call ended. */
export type Outcome =
  | { skipped: string }
  | {
      returned?: unknown
      threw?: unknown
      resolved?: unknown
      rejected?: unknown
      changed?: unknown
      pending?: true
    }

/** The effects of one call. */
export interface Step {
  outcome: Outcome
  /** The object that the call was made on. */
  target?: string
  /** Events of all objects, in their order, before the call returned. */
  cascade: string[]
  /** Events by object, and among them the end of the call. */
  streams: Streams
  /** The state of objects afterwards. */
  state: Record<string, unknown>
}

export type Transcript = Step[]

/** The first step is the stage itself, the last one its end. */
export async function execute(program: Program, stage: Stage): Promise<Transcript> {
  const world = new World()
  const transcript: Transcript = []
  const conclude = async (performed: Performed, member?: string) => {
    await quiesce(
      world,
      'skipped' in performed.outcome && member ? 0 : roundsAfter(member, stage.hops)
    )
    transcript.push({ ...performed, streams: world.takeStreams(), state: world.takeChanges() })
  }
  await stage.set(world)
  await conclude({ outcome: { skipped: 'the stage' }, cascade: [] })
  for (const command of program) await conclude(await perform(command, world), command.member)
  stage.strike(world)
  await conclude({ outcome: { skipped: 'the end' }, cascade: [] })
  world.leave()
  return transcript
}

type Performed = Pick<Step, 'outcome' | 'target' | 'cascade'>

async function perform(command: Command, world: World): Promise<Performed> {
  const target = world.find(command.on)
  const skipped = !target ? `there is no ${command.on.ref}` : reasonToSkip(command, target, world)
  if (!target || skipped) return { outcome: { skipped: skipped! }, cascade: [] }
  const args = command.args.map(template => materialize(template, target, world))
  const why = command.member === 'pipeToRouter' && reasonNotToPipe(target, args[0], world)
  if (why) return { outcome: { skipped: why }, cascade: [] }
  const before = JSON.stringify(world.normalizer.normalize(args))
  const { outcome, cascade } = await call(target, command.member, args, world)
  const after = JSON.stringify(world.normalizer.normalize(args))
  return {
    outcome: after === before ? outcome : { ...outcome, changed: JSON.parse(after) },
    target: target.name,
    cascade
  }
}

// What crosses a pipe arrives at any time, and some calls mediasoup itself does not answer.
function reasonToSkip(
  { member }: Command,
  { thing, parent }: Subject,
  world: World
): string | undefined {
  if (member === 'requestKeyFrame' && thing.type === 'pipe') return 'the worker does not answer'
  if (member !== 'send') return undefined
  const piped = world.subjects.some(
    subject => subject.parent?.kind === 'PipeTransport' && subject.parent.parent === parent?.parent
  )
  return piped && !thing.closed ? 'what is sent may cross a pipe' : undefined
}

async function call(
  target: Subject,
  member: string,
  args: unknown[],
  world: World
): Promise<{ outcome: Outcome; cascade: string[] }> {
  const normal = (value: unknown) => world.normalizer.normalize(value)
  const known = world.subjects.length
  world.cascade = []
  try {
    const value = invoke(target.thing, member, args)
    const cascade = [...world.cascade]
    if (!(value instanceof Promise)) return { outcome: { returned: normal(value) }, cascade }
    const settled = value.then(
      result => ({ resolved: normal(result), ...keptAppData(result, args) }),
      error => ({ rejected: normal(error) })
    )
    const outcome = await Promise.race([settled, after(MAX_ANSWER_MS, { pending: true as const })])
    // When it fails, its work on the two Routers goes on in any order.
    const piping = member === 'pipeToRouter'
    world.note(target, [`${member}() is done`], piping ? ' (pipeToRouter)' : '')
    if (piping)
      noteResult(
        target,
        args[0],
        world,
        world.subjects.slice(known),
        'rejected' in outcome ? outcome.rejected : undefined
      )
    return { outcome, cascade }
  } catch (error) {
    return { outcome: { threw: normal(error) }, cascade: [...world.cascade] }
  }
}

function after<T>(ms: number, value: T): Promise<T> {
  return new Promise(resolve => setTimeout(resolve, ms, value).unref())
}

function invoke(thing: Thing, member: string, args: unknown[]): unknown {
  if (member === 'kill') return kill(thing)
  if (member.startsWith('=')) return void (thing[member.slice(1)] = args[0])
  return (thing[member] as (...args: unknown[]) => unknown)(...args)
}

// The pid of a Worker that is gone, or on another machine, may be that of any process here.
function kill({ closed, pid }: Thing) {
  if (closed) return
  if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('mediasoup-worker'))
    throw new Error(`${pid} is no worker of this machine`)
  process.kill(pid as number, 'SIGKILL')
}

// appData is the caller's own object, not a copy of it.
function keptAppData(result: unknown, [options]: unknown[]) {
  const { appData: given } = (options ?? {}) as { appData?: unknown }
  const { appData: kept } = (result ?? {}) as { appData?: unknown }
  return given && kept ? { keptAppData: given === kept } : {}
}

function materialize(template: Template, target: Subject, world: World): unknown {
  if (typeof template !== 'object' || template === null) return template
  if (Array.isArray(template)) return template.map(item => materialize(item, target, world))
  if (isRef(template)) {
    const thing = world.find(template, target)?.thing
    return template.get
      ? (thing?.[template.get] ?? (template.get === 'id' ? 'nobody' : undefined))
      : thing
  }
  if (isBytes(template)) return Buffer.from(template.bytes, 'hex')
  return Object.fromEntries(
    Object.entries(template as { [key: string]: Template }).map(([key, item]) => [
      key,
      materialize(item, target, world)
    ])
  )
}
