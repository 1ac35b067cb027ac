// Lines of a log that clients cause. Of each kind some are written in a while, and then how many were
// left out.

const LINES = 10
const WINDOW_MS = 10_000
// Clients may make up kinds. Those above this number are one.
const MAX_KINDS = 100

interface Kind {
  lines: number
  leftOut: number
}

export class LogLimit {
  readonly #kinds = new Map<string, Kind>()

  /**
   * @param kind who causes the line, and why
   * @param line writes it
   * @param count writes how many lines of the kind were left out
   */
  write(kind: string, line: () => void, count: (leftOut: number) => void): void {
    const known = this.#kinds.get(kind)
    if (known) return known.lines < LINES ? writeOneMore(known, line) : void known.leftOut++
    if (this.#kinds.size >= MAX_KINDS && kind !== '') return this.write('', line, count)
    const opened = { lines: 0, leftOut: 0 }
    this.#kinds.set(kind, opened)
    setTimeout(() => {
      this.#kinds.delete(kind)
      if (opened.leftOut) count(opened.leftOut)
    }, WINDOW_MS).unref()
    writeOneMore(opened, line)
  }
}

function writeOneMore(kind: Kind, line: () => void) {
  kind.lines++
  line()
}
