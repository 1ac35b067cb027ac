// `mafalda drain`: asks a host to end once it is empty, and prints how far that is.

import { remote } from '../client/index.ts'
import type { DrainState } from '../lib/drain.ts'
import { headerOf } from '../lib/wire.ts'
import { RpcClient } from '../proxy/rpc-client.ts'
import { paramsOf } from '../proxy/session.ts'
import { type AccessOptions, accessOf } from './access.ts'

interface Options extends AccessOptions {
  /** In seconds. */
  deadline?: number
  cancel?: boolean
}

export async function drain(url: string, { deadline, cancel, ...access }: Options) {
  const link = await remote(url, accessOf(access)).open()
  const caller = new RpcClient(link, { name: url })
  const over = Promise.withResolvers<DrainState['ended']>()
  over.promise.catch(() => {}) // Nobody may wait for it yet.
  link.once('close', error =>
    over.reject(error ?? new Error(`${url} closed the connection before the drain was over`))
  )
  link.on('frame', frame => {
    const head = headerOf(frame)
    if (caller.takes(head?.id, frame) || head?.method !== 'tier.drain') return
    report((paramsOf(frame) as [DrainState])[0])
  })

  try {
    report(
      (await caller.call('tier.drain', {
        deadline: deadline && deadline * 1_000,
        cancel
      })) as DrainState
    )
    if (!cancel && (await over.promise) === 'cancelled') process.exitCode = 1
  } finally {
    link.close()
  }

  function report(state: DrainState) {
    console.log(cancel && !state.draining ? `${url} does not drain` : lineOf(state))
    if (state.ended) over.resolve(state.ended)
  }
}

function lineOf({ workers, routers, consumers, deadline, ended }: DrainState): string {
  const left = `${workers} Workers, ${routers} Routers, ${consumers} Consumers`
  switch (ended) {
    case 'empty':
      return 'empty: the host ends'
    case 'deadline':
      return `the deadline has come: the host ends with ${left}`
    case 'cancelled':
      return `cancelled, with ${left}`
    case undefined:
      return deadline === undefined
        ? `${left} left`
        : `${left} left, ${Math.ceil(deadline / 1_000)} s to the deadline`
  }
}
