// Spans of calls, where the application has set up OpenTelemetry: each call within one of its spans
// is a span of its own, and the tiers log its trace.

import type { SpanContext } from '@opentelemetry/api'
import { version } from '../lib/version.ts'

export interface CallSpan {
  /** What the tiers are told, as W3C's trace context writes it. */
  readonly traceparent: string
  end(error?: Error): void
}

/** Undefined outside of the application's spans. */
export type StartSpan = (method: string) => CallSpan | undefined

// Where the package keeps what an application has set up, whichever copy of it that used.
const GLOBAL = Symbol.for('opentelemetry.js.api.1')

/** Undefined where the application has set up nothing, or has not the package. */
export async function findTracing(): Promise<StartSpan | undefined> {
  const global = (globalThis as { [GLOBAL]?: { trace?: unknown } })[GLOBAL]
  if (!global?.trace) return undefined
  const api = await import('@opentelemetry/api').catch(() => undefined)
  if (!api) return undefined
  const { trace, SpanKind, SpanStatusCode, isSpanContextValid } = api
  const tracer = trace.getTracer('mafalda', version)
  return method => {
    if (!trace.getActiveSpan()) return undefined
    const span = tracer.startSpan(method, {
      kind: SpanKind.CLIENT,
      attributes: { 'rpc.system': 'jsonrpc', 'rpc.jsonrpc.version': '2.0', 'rpc.method': method }
    })
    const context = span.spanContext()
    if (!isSpanContextValid(context)) return undefined
    return {
      traceparent: traceparentOf(context),
      end(error) {
        if (error) {
          span.recordException(error)
          span.setStatus({ code: SpanStatusCode.ERROR, message: error.message })
        }
        span.end()
      }
    }
  }
}

/** https://www.w3.org/TR/trace-context/#traceparent-header */
const traceparentOf = ({ traceId, spanId, traceFlags }: SpanContext) =>
  `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`
