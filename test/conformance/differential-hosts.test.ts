// Random programs do the same on plain mediasoup and on the tiers whose Routers span hosts.

import { test } from 'uvu'
import { agree } from './agree.ts'

agree('aggregated', 'aggregated-scatter', 'three-levels')

test.run()
