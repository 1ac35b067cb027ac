// mediasoup's warnings and errors in the log of the operator: for each Worker and reason only some,
// because clients cause them.

import type * as ms from 'mediasoup/types'
import type { Logger } from 'pino'
import { LogLimit } from '../lib/log-limit.ts'

export function mediaLog(logger: Logger): ms.LogEventListeners {
  const limit = new LogLimit()
  return {
    onwarn: (namespace, text) => write('warn', namespace, text),
    onerror: (namespace, text, err) => write('error', namespace, text, err)
  }

  function write(level: 'warn' | 'error', namespace: string, text: string, err?: Error) {
    limit.write(
      kindOf(namespace, text),
      () => logger[level]({ namespace, err }, text),
      leftOut => logger[level]({ namespace, leftOut }, `lines were left out, such as: ${text}`)
    )
  }
}

/** Who and why: the Worker, and the text without what differs from case to case. */
function kindOf(namespace: string, text: string): string {
  const [, pid = ''] = /\[pid:(\d+)/.exec(text) ?? []
  const [why = ''] = text.replace(/^\[[^\]]*\]/, '').split(/[[:"]|\d/)
  return `${namespace} ${pid} ${why}`
}
