// The monitor's page.

/// <reference lib="dom" />
import { render } from 'preact'
import { App } from './app.tsx'
import { Store } from './store.ts'

// The page is under /monitor/, and the tier at /.
const url = new URL('/', location.href)
url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'

const store = new Store(url.href)
const readHash = () => store.look(decodeURIComponent(location.hash.slice(1)) || undefined)
window.addEventListener('hashchange', readHash)
readHash()
store.connect()
render(<App store={store} />, document.getElementById('app')!)
