// Requests to a registry, and registries in processes.

import { type RequestOptions, request } from 'node:http'
import { request as secureRequest } from 'node:https'
import { run } from '../helper.ts'
import { urlOf } from './processes.ts'

export interface Answer {
  status: number
  type: string
  headers: NodeJS.Dict<string | string[]>
  body: Record<string, unknown>
}

export interface AskOptions extends Pick<RequestOptions, 'headers'> {
  token?: string
  /** Sent as JSON; a string or a Buffer as it is. */
  body?: unknown
  tls?: { ca: Buffer; cert?: Buffer; key?: Buffer }
}

/** One request on a connection of its own, whose headers are what the test says. */
export function ask(
  url: string,
  method: string,
  path: string,
  { token, body, headers = {}, tls }: AskOptions = {}
): Promise<Answer> {
  const isRaw = typeof body === 'string' || Buffer.isBuffer(body)
  const content = body === undefined || isRaw ? body : JSON.stringify(body)
  const send = tls ? secureRequest : request
  return new Promise((resolve, reject) => {
    const asked = send(url.replace(/^ws/, 'http') + path, {
      method,
      agent: false,
      headers: {
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(headers as object)
      },
      ...tls
    })
    asked.on('error', reject)
    asked.on('response', async response => {
      let text = ''
      for await (const chunk of response) text += chunk
      const isJson = /json/.test(response.headers['content-type'] ?? '')
      resolve({
        status: response.statusCode!,
        type: response.headers['content-type'] ?? '',
        headers: response.headers,
        body: isJson ? JSON.parse(text) : { text }
      })
    })
    asked.end(content)
  })
}

/** `mafalda registry` in a process of its own. */
export async function startRegistry(args: readonly string[] = []) {
  const listen = args.includes('--listen') ? [] : ['--listen', '127.0.0.1:0']
  const registry = run(['registry', ...listen, ...args])
  return { ...registry, url: (await urlOf(registry)).replace(/^ws/, 'http') }
}
