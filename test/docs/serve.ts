// Runs a `mafalda serve` of the documents as it stands there, but with ports that are free, real
// tiers at its URLs, and files that are there.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { authority, folder } from '../certificates.ts'
import { afterTest, startLeaf, until } from '../helper.ts'
import { ALL, keyIssuer } from '../tokens.ts'
import { type Block, type Command, commandsOf, valueOf } from './commands.ts'

// On a busy machine.
const SECONDS = 300

export const isUrl = (word: string) => /^wss?:/.test(word)
const isFile = (word: string) => /\.(crt|key|jwks|jwt)$/.test(word)

/** Resolves with the tier's URL, when all tiers that it names are up. */
export async function serves(command: Command, { commands }: Block): Promise<string> {
  const args: string[] = []
  for (const word of command.words.slice(2)) {
    if (isFile(word)) args.push(await provide(word))
    else if (isUrl(word)) args.push(await serves(tierAt(word, command, commands), NO_BLOCK))
    else args.push(word)
  }
  const at = args.indexOf('--listen')
  if (at >= 0) args.splice(at, 2)
  const { MAFALDA_LISTEN: _, ...env } = command.env
  const { url, lines, errors } = await startLeaf([...args, '--listen', `${hostOf(command)}:0`], env)
  const hosts = args.filter(isUrl).length
  const hostsUp = () => lines.filter(line => JSON.parse(line).msg === 'host is up').length
  await until(() => hostsUp() >= hosts, SECONDS)
  assert.equal(errors, [])
  return url.replace('0.0.0.0', '127.0.0.1')
}

const NO_BLOCK: Block = { where: '', commands: [] }

/** In place of an address of another machine, one that other machines can reach, too. */
function hostOf({ words, env }: Command): string {
  const address = valueOf(words, '--listen') ?? env.MAFALDA_LISTEN ?? '127.0.0.1:4000'
  return /^(127\.|localhost|\[::1\])/.test(address) ? '127.0.0.1' : '0.0.0.0'
}

/** What the block serves at such a URL before the command that names it; else a leaf. */
function tierAt(url: string, before: Command, commands: Command[]): Command {
  const isSecure = url.startsWith('wss:')
  return (
    commands
      .slice(0, commands.indexOf(before))
      .filter(({ words }) => words[1] === 'serve' && !words.some(isUrl))
      .findLast(({ words }) => words.includes('--tls-cert') === isSecure) ??
    commandsOf('mafalda serve')[0]!
  )
}

let files: ReturnType<typeof makeFiles> | undefined

/** One authority has issued all certificates, and one issuer all tokens. */
async function makeFiles() {
  const [{ ca, issue }, issuer] = [await authority(), await keyIssuer()]
  afterTest(() => {
    files = undefined
  })
  const token = await issuer.issue({ scope: ALL })
  return { folder: folder(), issue, ca, jwk: issuer.jwk, token }
}

/** The path of a file that a command names. */
async function provide(name: string): Promise<string> {
  const { folder, issue, ca, jwk, token } = await (files ??= makeFiles())
  const path = join(folder, name)
  if (name.endsWith('ca.crt')) writeFileSync(path, readFileSync(ca))
  else if (name.endsWith('.crt')) await issue(name, keyPair(path))
  else if (name.endsWith('.jwks')) writeFileSync(path, JSON.stringify({ keys: [jwk] }))
  else if (name.endsWith('.jwt')) writeFileSync(path, token)
  return path
}

const keyPair = (cert: string) => ({ cert, key: cert.replace('.crt', '.key') })
