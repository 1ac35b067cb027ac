// How many hosts a cluster wants: what those who start and end hosts go by.

export interface Wanted {
  /** How many hosts there should be. */
  hosts: number
  /** How many there are that take Workers. */
  now: number
  /** How many were asked for, and are not there yet. */
  starting: number
  /** How many drain. */
  draining: number
  /** Cores that are needed and not there; negative: that can be given back. */
  cores: number
  /** A sentence for people. */
  reason: string
  /**
   * The same for Kubernetes' HorizontalPodAutoscaler, which does nothing while what is wanted differs
   * from what there is by a tenth or less: it differs by more, or not at all.
   */
  hpaHosts: number
  /** How long the last hosts took from when they were asked for until they were there, in ms. */
  warmup?: number
  /** How many were asked for since the process began, with those that are starting. */
  asked: number
  /** The host to give back next, by its name. */
  remove?: string
  /** Hosts whose drain is to be cancelled, because there is need of them again. */
  keep: readonly string[]
}

/** A host, as far as it matters for how many there should be. */
export interface ScaledHost {
  /** Its URL. */
  readonly name: string
  /** In cores; of a host that drains, what it would have again. */
  readonly capacity: number
  /** In cores. */
  readonly used: number
  readonly workers: number
  /** Whether sessions share its Workers: then a Worker does not take a core. */
  readonly shared: boolean
  /** Whether what is said here is known: false while it cannot be asked. */
  readonly known: boolean
  readonly draining: boolean
  /** Whether it drains because it was to be given back, so that it may be kept. */
  readonly givenBack: boolean
}
