// What a frame from below says in its first bytes, and under which name it goes up.

import { kept } from '../../lib/head.ts'
import type { Frame } from '../../lib/tier.ts'
import { type Handle, decode } from '../../lib/wire.ts'
import type { RouterPart } from './types.ts'

const CREATED = /"result":\{"\$":"([^"]+)"(?:,"kind":"([^"]+)")?/

export function createdBy(answer: Frame): Handle | undefined {
  const handle = CREATED.exec(answer as string)?.[1]
  return handle && kept(handle)
}

export const kindOf = (answer: Frame): string => CREATED.exec(answer as string)![2]!
export const isFailure = (answer: Frame) => /^\{"jsonrpc":"2\.0","id":(?:[^",]+|"(?:[^"\\]|\\.)*"),"error":/.test(answer as string)
export const resultOf = (answer: Frame) => (decode(answer) as { result?: unknown }).result

/** What is announced as the child of a part is the child of the whole. */
export const renamed = (frame: Frame, { handle, owner }: RouterPart): Frame =>
  (frame as string).replace(`"of":"${handle}"`, `"of":"${owner.handle}"`).replace(`"params":["${handle}"`, `"params":["${owner.handle}"`)
