// The conformance of the tiers whose Routers span Workers and hosts.

import { test } from 'uvu'
import { conform, spanning } from './conform.ts'

conform(spanning)

test.run()
