// The files of the monitor's page, which `npm run build` has put into dist/monitor/. They are public:
// what the page shows comes over a WebSocket, behind the doors of the tier.

import { readFileSync } from 'node:fs'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { fileURLToPath } from 'node:url'

const PATH = '/monitor/'
const TYPES = {
  'index.html': 'text/html; charset=utf-8',
  'monitor.css': 'text/css; charset=utf-8',
  'monitor.js': 'text/javascript; charset=utf-8',
  'icon.svg': 'image/svg+xml'
}
// Nothing of another host, nothing inline, and no page around it that could steal a click.
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-cache'
}

/**
 * Answers what is asked for below /monitor, and leaves the rest to `others`.
 *
 * @throws when the page was not built
 */
export function withMonitor(others: RequestListener): RequestListener {
  const files = readFiles()
  return (request, response) => {
    const path = request.url?.split('?')[0]
    if (path === PATH.slice(0, -1)) return redirect(response)
    if (!path?.startsWith(PATH)) return others(request, response)
    const file = files.get(path.slice(PATH.length) || 'index.html')
    if (file) answer(request, response, file)
    else response.writeHead(404, HEADERS).end()
  }
}

interface File {
  type: string
  body: Buffer
}

function readFiles(): Map<string, File> {
  const folder = new URL('dist/monitor/', import.meta.resolve('mafalda/package.json'))
  try {
    return new Map(
      Object.entries(TYPES).map(([name, type]) => [
        name,
        { type, body: readFileSync(new URL(name, folder)) }
      ])
    )
  } catch (cause) {
    throw new Error(
      `the page of the monitor must be in ${fileURLToPath(folder)}: npm run build makes it`,
      { cause }
    )
  }
}

function answer({ method }: IncomingMessage, response: ServerResponse, { type, body }: File) {
  if (method !== 'GET' && method !== 'HEAD')
    return response.writeHead(405, { ...HEADERS, allow: 'GET, HEAD' }).end()
  response.writeHead(200, { ...HEADERS, 'content-type': type, 'content-length': body.length })
  response.end(method === 'GET' ? body : undefined)
}

function redirect(response: ServerResponse) {
  response.writeHead(308, { ...HEADERS, location: PATH }).end()
}
