// What a test gives as --scale-command: starts hosts as processes of this machine, each with two cores,
// which register. They end by themselves when they are drained; `down` notes it.
//
//   hosts-command.ts FOLDER REGISTRY up 2
//   hosts-command.ts FOLDER REGISTRY down ws://127.0.0.1:4711

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, openSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const [folder, registry, what, given] = process.argv.slice(2) as [string, string, string, string]
const mafalda = fileURLToPath(new URL('../../mafalda.ts', import.meta.url))

appendFileSync(join(folder, 'runs'), `${what} ${given}\n`)
if (what === 'up') for (let i = 0; i < Number(given); i++) await startHost()

async function startHost() {
  const listen = `127.0.0.1:${await freePort()}`
  const log = openSync(join(folder, `${listen}.log`), 'a')
  const own = ['--listen', listen, '--advertise', `ws://${listen}`, '--max-workers', '2']
  const child = spawn(process.execPath, [mafalda, 'serve', ...own, '--register', registry], {
    detached: true,
    stdio: ['ignore', log, log]
  })
  appendFileSync(join(folder, 'hosts'), `${child.pid} ws://${listen}\n`)
  child.unref()
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
