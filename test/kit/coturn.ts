// A real coturn with the configuration that we ship, and what its own client says of it.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { findTurnClient, findTurnserver } from '../../build/coturn.mjs'
import { until, within } from './until.ts'

const STARTED_SECONDS = 60
const SHIPPED = new URL('../../deploy/coturn/turnserver.conf', import.meta.url)

/** coturn relays to no loopback address. */
export const ownAddress = (): string | undefined =>
  Object.values(networkInterfaces())
    .flat()
    .find(own => own?.family === 'IPv4' && !own.internal)?.address

/** @param port where it listens, free until now */
export async function startCoturn(address: string, port: number, secret: string) {
  const folder = await mkdtemp(join(tmpdir(), 'mafalda-coturn-'))
  const config = join(folder, 'turnserver.conf')
  const ofHost = [
    `static-auth-secret=${secret}`,
    `listening-ip=${address}`,
    `relay-ip=${address}`,
    `allowed-peer-ip=${address}`,
    `listening-port=${port}`,
    `pidfile=${join(folder, 'pid')}`
  ]
  await writeFile(config, [await readFile(SHIPPED, 'utf8'), ...ofHost, ''].join('\n'))
  const child = spawn(await findTurnserver(), ['-c', config], { stdio: 'ignore' })
  const exited = once(child, 'exit')
  await until(() => answers(address, port), STARTED_SECONDS, 'coturn listens')
  return {
    url: `turn:${address}:${port}?transport=udp`,
    async end() {
      child.kill()
      await exited
      await rm(folder, { recursive: true })
    }
  }
}

/**
 * What coturn's own client says that tries to relay to a peer.
 *
 * @param url `turn:…` of an IPv4 address
 */
export async function tryTurn(
  url: string,
  { username, credential }: { username: string; credential: string },
  peer: string
): Promise<string> {
  const [, address, port] = /^turn:([\d.]+):(\d+)/.exec(url)!
  const args = ['-v', '-c', '-m', '1', '-n', '1', '-u', username, '-w', credential]
  const client = spawn(await findTurnClient(), [...args, '-e', peer, '-p', port!, address!], {
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const said: string[] = []
  for (const output of [client.stdout, client.stderr])
    output.on('data', (text: Buffer) => said.push(String(text)))
  await within(once(client, 'close'), STARTED_SECONDS, 'the client of coturn ends')
  return said.join('')
}

const answers = (address: string, port: number) =>
  new Promise<boolean>(resolve => {
    const socket = connect(port, address, () => resolve(true))
    socket.once('error', () => resolve(false)).once('connect', () => socket.destroy())
  })
