// Workers that were placed on a tier, and that its load does not count yet.

export class PlacedWorkers {
  #pending = 0
  #made = 0
  #reports = 0

  get count() {
    return this.#pending + this.#made
  }

  /** A Worker is on its way; what is returned must be told once whether it was made. */
  place(): (isMade: boolean) => void {
    const reports = this.#reports
    this.#pending++
    return isMade => {
      this.#pending--
      // A load that was reported meanwhile may count it. If it does not, the next report will; but
      // none has to come that mends what counts twice.
      if (isMade && reports === this.#reports) this.#made++
    }
  }

  /** The tier has told its load. */
  reported() {
    this.#made = 0
    this.#reports++
  }
}
