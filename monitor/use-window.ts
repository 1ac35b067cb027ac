// Which rows of a long list are in sight: only these are drawn.

/// <reference lib="dom" />
import { useLayoutEffect, useRef, useState } from 'preact/hooks'

const OVERSCAN = 6

export interface Sight {
  ref: { current: HTMLDivElement | null }
  onScroll(event: { currentTarget: HTMLElement }): void
  first: number
  /** Exclusive. */
  last: number
  /** What is in sight, in pixels from the top of the list. */
  top: number
  bottom: number
}

export function useWindow(rows: number, pitch: number): Sight {
  const ref = useRef<HTMLDivElement>(null)
  const [top, setTop] = useState(0)
  const [height, setHeight] = useState(400)
  useLayoutEffect(() => {
    const element = ref.current!
    const measure = new ResizeObserver(() => setHeight(element.clientHeight))
    measure.observe(element)
    return () => measure.disconnect()
  }, [])
  const first = Math.max(0, Math.min(rows, Math.floor(top / pitch)) - OVERSCAN)
  const last = Math.min(rows, Math.ceil((top + height) / pitch) + OVERSCAN)
  return {
    ref,
    onScroll: ({ currentTarget }) => setTop(currentTarget.scrollTop),
    ...{ first, last, top, bottom: top + height }
  }
}
