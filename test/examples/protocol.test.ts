// A client that was written from PROTOCOL.md alone, in another language.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { afterTest, cleanUp, startLeaf, until } from '../helper.ts'

cleanUp(test)

const STYLES = ['compact', 'spaced', 'sorted']

async function room(url: string, style: string) {
  const args = ['examples/protocol/room.py', url, '--json', style]
  const child = spawn('python3', args, { stdio: ['ignore', 'pipe', 'pipe'] })
  afterTest(() => child.kill('SIGKILL'))
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', chunk => {
    stdout += chunk
  })
  child.stderr.on('data', chunk => {
    stderr += chunk
  })
  const [code] = await once(child, 'close')
  assert.is(code, 0, `${style}: ${stdout}${stderr}`)
  return stdout
    .trim()
    .split('\n')
    .map(line => line.split(' ')[0])
}

for (const kind of ['leaf', 'vertical']) {
  test(`a client in Python makes a room on a ${kind} tier, is cut, resumes, and closes`, async () => {
    const { url, lines } = await startLeaf(kind === 'vertical' ? ['--vertical'] : [])
    for (const style of STYLES) {
      assert.equal(await room(url, style), ['mediasoup', 'consuming', 'heard', 'resumed', 'closed'])
    }
    const closed = () => lines.filter(line => line.includes('session closed')).length
    await until(() => closed() === STYLES.length)
    // Three connections were one session.
    assert.is(lines.filter(line => line.includes('session opened')).length, STYLES.length)
  })
}

test.run()
