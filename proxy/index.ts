// Tiers made of tiers.

export {
  horizontal,
  type ChildFacts,
  type Horizontal,
  type HorizontalEvents,
  type HorizontalOptions
} from './horizontal/horizontal.ts'
export type { ScaleOptions } from './placement/scale-options.ts'
export { vertical, type VerticalOptions } from './vertical/vertical.ts'
