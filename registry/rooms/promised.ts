// What was promised to a host since it last told its load: rooms that were put there, and those who
// came to them. It is not in the load yet, and bounds how many more go there.

// What a room is expected to use until a load says so, in cores; and who comes to one that is there.
const ROOM_CORES = 0.1
const ASK_CORES = 0.01
// A host whose load does not change tells none.
const LIFE_MS = 5_000

export class Promised {
  // A load may have been measured just before a room came: what is promised outlives one of them.
  #older = 0
  #recent = 0
  #reports = 0
  #since = 0

  /** A room was put there, or somebody has asked for one that is there. */
  add(isNew: boolean, reports: number, now: number) {
    this.#age(reports, now)
    this.#recent += isNew ? ROOM_CORES : ASK_CORES
  }

  /**
   * In cores.
   *
   * @param reports how many times the host has told its load
   * @param now in ms
   */
  cores(reports: number, now: number): number {
    this.#age(reports, now)
    return this.#older + this.#recent
  }

  #age(reports: number, now: number) {
    const isOld = now - this.#since >= LIFE_MS
    if (reports === this.#reports && !isOld) return
    this.#older = now - this.#since >= 2 * LIFE_MS ? 0 : this.#recent
    this.#recent = 0
    this.#reports = reports
    this.#since = now
  }
}
