// What `mafalda serve` says of the user that it runs as.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { cleanUp, startLeaf } from '../helper.ts'

cleanUp(test)

/** What a leaf has logged of root until it listens, if the system says that it has this user id. */
async function warned(uid: number) {
  const preload = `data:text/javascript,process.getuid=()=>${uid}`
  const { lines } = await startLeaf([], { NODE_OPTIONS: `--import=${preload}` })
  const entries = lines.map(line => JSON.parse(line) as { level: number; msg: string })
  return entries.filter(({ level, msg }) => level === 40 && msg.startsWith('runs as root'))
}

test('a tier that runs as root says so in its log, and one that does not says nothing', async () => {
  assert.is((await warned(0)).length, 1)
  assert.is((await warned(1000)).length, 0)
})

test.run()
