// The commands in the documents, as a shell would read them.

import { documents, fencesOf, read } from './markdown.ts'

export interface Command {
  env: Record<string, string>
  /** The program, and its arguments. */
  words: string[]
  text: string
}

/** The commands of one block: what a reader types one after the other. */
export interface Block {
  where: string
  commands: Command[]
}

export function commandsOf(shell: string): Command[] {
  return shell
    .replaceAll('\\\n', ' ')
    .split('\n')
    .map(line => line.replace(/(^|\s)#.*$/, '').trim())
    .filter(Boolean)
    .map(commandOf)
}

/** What a unit of systemd starts. */
const startsOf = (unit: string): Command[] =>
  [...unit.matchAll(/^ExecStart=(.*)$/gm)].map(([, line = '']) => commandOf(line))

function commandOf(text: string): Command {
  const words = text.split(/\s+/)
  const env: Record<string, string> = {}
  for (let word = words[0]; word && /^[A-Z_]+=/.test(word); word = words[0]) {
    const [name = '', ...value] = words.shift()!.split('=')
    env[name] = value.join('=')
  }
  if (words[0] === 'npx') words.shift()
  words[0] = words[0]!.replace(/^\/.*\//, '')
  return { env, words, text }
}

const blocksIn = (file: string, language: string, parse: (text: string) => Command[]): Block[] =>
  fencesOf(read(file), language).map(({ text, line }) => ({
    where: `${file}:${line}`,
    commands: parse(text)
  }))

export const blocks: Block[] = documents.flatMap(file => [
  ...blocksIn(file, 'sh', commandsOf),
  ...blocksIn(file, 'ini', startsOf)
])

/** The value of an option, if it is given. */
export function valueOf(words: string[], option: string): string | undefined {
  const at = words.indexOf(option)
  return at < 0 ? undefined : words[at + 1]
}
