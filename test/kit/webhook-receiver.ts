// A real HTTP server that receives webhooks, and checks each by packages that are not ours: the
// signature by standardwebhooks, the event by cloudevents.

import { once } from 'node:events'
import { type IncomingHttpHeaders, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { type CloudEventV1, HTTP } from 'cloudevents'
import { Webhook } from 'standardwebhooks'

export const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`

export type ReceivedEvent = CloudEventV1<Record<string, unknown>>

export interface Received {
  /** The `webhook-id`. */
  id: string
  event: ReceivedEvent
  /** Whether it was answered with 2xx. */
  isTaken: boolean
  at: number
}

/** A status, or what else is done with the response. */
type Answer = number | ((response: ServerResponse) => void)

export interface ReceiverOptions {
  secret?: string
  /** Default: 204. */
  answer?(event: ReceivedEvent, headers: IncomingHttpHeaders): Answer | Promise<Answer>
}

export async function startReceiver({ secret = SECRET, answer = () => 204 }: ReceiverOptions = {}) {
  const webhook = new Webhook(secret)
  const received: Received[] = []
  /** Why what came was no webhook: there must be none. */
  const wrong: Error[] = []
  const server = createServer(async (request, response) => {
    const { headers } = request
    const at = performance.now()
    try {
      const event = verified(webhook, headers, await text(request))
      const answered = await answer(event, headers)
      const isTaken = typeof answered === 'number' && answered >= 200 && answered < 300
      received.push({ id: String(headers['webhook-id']), event, isTaken, at })
      if (typeof answered === 'number') response.writeHead(answered).end()
      else answered(response)
    } catch (error) {
      wrong.push(error as Error)
      response.writeHead(400).end()
    }
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/events`,
    received,
    wrong,
    /** What was taken, each once, in the order in which it was first taken. */
    taken: () => [
      ...new Map(
        received.filter(each => each.isTaken).map(({ id, event }) => [id, event] as const)
      ).values()
    ],
    close() {
      server.closeAllConnections()
      server.close()
    }
  }
}

export type WebhookReceiver = Awaited<ReturnType<typeof startReceiver>>

function verified(webhook: Webhook, headers: IncomingHttpHeaders, body: string): ReceivedEvent {
  webhook.verify(body, headers as Record<string, string>)
  const event = HTTP.toEvent<Record<string, unknown>>({ headers, body })
  if (Array.isArray(event)) throw new Error('one event was expected')
  if (event.id !== headers['webhook-id']) throw new Error('the event has another id')
  return event
}
