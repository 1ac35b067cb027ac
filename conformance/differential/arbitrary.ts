// Random programs: most of their calls are right, and some are not.

import fc from 'fast-check'
import { ref } from './arguments.ts'
import { type Call, calls } from './calls.ts'
import { isOmitted } from './documented.ts'
import { type Command, type Program, type Template, isBytes, isRef } from './program.ts'

/** Something is wrong with the arguments of a call. */
type Fault =
  | { kind: 'none' }
  | { kind: 'missing' }
  | { kind: 'argument'; junk: Template }
  | { kind: 'member'; at: number; junk: Template }

// Between hosts pipes have other defaults.
const KEPT = new Set(['enableRtx', 'enableSrtp'])

const junk = fc.constantFrom<Template>(undefined, null, 'junk', -1, 4711, 1.5, true, {}, [], [null])

// Not null in place of an argument: JSON has no undefined, so null stands for it on the wire.
const notNull = junk.filter(value => value !== null)

const fault: fc.Arbitrary<Fault> = fc.oneof(
  { weight: 20, arbitrary: fc.constant<Fault>({ kind: 'none' }) },
  { weight: 1, arbitrary: fc.constant<Fault>({ kind: 'missing' }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('argument' as const), junk: notNull }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('member' as const), at: fc.nat(8), junk }) }
)

const commandOf = ({ on, member, args }: Call): fc.Arbitrary<Command> =>
  fc
    .record({ on: ref(on), args, fault })
    .map(({ on, args, fault }) => ({ on, member, args: spoil(args, fault) }))

/** Programs of exactly as many calls, which shrink to fewer, for a tier. */
export function programs(commands: number, tier: string): fc.Arbitrary<Program> {
  const fit = calls.filter(call => !isOmitted(call, tier))
  return new ProgramArbitrary(
    fc.oneof(...fit.map(call => ({ weight: call.weight, arbitrary: commandOf(call) }))),
    commands
  )
}

class ProgramArbitrary extends fc.Arbitrary<Program> {
  readonly #exact: fc.Arbitrary<Program>
  readonly #fewer: fc.Arbitrary<Program>

  constructor(command: fc.Arbitrary<Command>, commands: number) {
    super()
    this.#exact = fc.array(command, { minLength: commands, maxLength: commands })
    this.#fewer = fc.array(command, { maxLength: commands })
  }

  generate(random: fc.Random, bias: number | undefined): fc.Value<Program> {
    return this.#exact.generate(random, bias)
  }

  canShrinkWithoutContext(value: unknown): value is Program {
    return this.#fewer.canShrinkWithoutContext(value)
  }

  shrink(value: Program, context?: unknown): fc.Stream<fc.Value<Program>> {
    return this.#fewer.shrink(value, context)
  }
}

function spoil(args: Template[], fault: Fault): Template[] {
  const [first, ...rest] = args
  switch (fault.kind) {
    case 'none':
      return args
    case 'missing':
      return []
    case 'argument':
      return [fault.junk, ...rest]
    case 'member':
      return [spoilMember(first, fault.at, fault.junk), ...rest]
  }
}

function spoilMember(options: Template, at: number, junk: Template): Template {
  if (
    typeof options !== 'object' ||
    options === null ||
    Array.isArray(options) ||
    isRef(options) ||
    isBytes(options)
  )
    return options
  const names = Object.keys(options).filter(name => !KEPT.has(name))
  const name = names[at % names.length]
  // An id of any type is good enough for mediasoup, which then finds its object only by the same
  // value.
  const value = name === 'id' ? 'junk' : junk
  return name === undefined
    ? options
    : { ...(options as { [key: string]: Template }), [name]: value }
}
