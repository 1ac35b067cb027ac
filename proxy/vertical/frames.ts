// What a frame from below says in its first bytes, and under which name it goes up.

import { createdBy as created } from '../../lib/created.ts'
import { reviveError } from '../../lib/errors.ts'
import type { Frame } from '../../lib/tier.ts'
import { type Failure, type Handle, decode } from '../../lib/wire.ts'
import type { RouterPart } from './types.ts'

export const createdBy = (answer: Frame): Handle | undefined => created(answer)?.handle
export const kindOf = (answer: Frame): string => created(answer)!.kind!
export const isFailure = (answer: Frame) =>
  /^\{"jsonrpc":"2\.0","id":(?:[^",]+|"(?:[^"\\]|\\.)*"),"error":/.test(answer as string)
export const errorIn = (answer: Frame): Error | undefined =>
  isFailure(answer) ? reviveError((decode(answer) as { error: Failure }).error) : undefined
export const resultOf = (answer: Frame) => (decode(answer) as { result?: unknown }).result

/** What is announced as the child of a part is the child of the whole. */
export const renamed = (frame: Frame, { handle, owner }: RouterPart): Frame =>
  (frame as string)
    .replace(`"of":"${handle}"`, `"of":"${owner.handle}"`)
    .replace(`"params":["${handle}"`, `"params":["${owner.handle}"`)
