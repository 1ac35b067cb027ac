// What both ends share, and users of the package see.

export type { DrainOptions, DrainState } from './drain.ts'
export {
  AccessError,
  ConnectionError,
  DrainingError,
  IncompatibleError,
  LimitError,
  ProtocolError,
  SessionError,
  UnknownOutcomeError
} from './errors.ts'
export type { ChildState, Figures, HostFigures, PipeFigures } from './figures.ts'
export type { Location } from './hello.ts'
export type { IceServer } from './ice-server.ts'
export type { Load } from './load.ts'
export * from './survey.ts'
export { eventsIn, type SurveyEvent, type SurveyEventName } from './survey-events.ts'
export { SCOPES, type Scope } from './scopes.ts'
export type { Frame, Link, LinkEvents, OpenOptions, Tier } from './tier.ts'
export type { Pem, Tls } from './tls.ts'
export type { ScaledHost, Wanted } from './wanted.ts'
