// Where the tier wants a token: it is kept in memory, and sent in a message.

/// <reference lib="dom" />
import { useState } from 'preact/hooks'
import type { Store } from './store.ts'

export function Login({ store }: { store: Store }) {
  const [token, setToken] = useState('')
  function enter(event: Event) {
    event.preventDefault()
    store.connect(token.trim())
    setToken('')
  }
  return (
    <main class="login">
      <form onSubmit={enter}>
        <img src="icon.svg" alt="" width="48" height="48" />
        <h1>Mafalda monitor</h1>
        <p class="reason" role="alert">
          {store.reason}
        </p>
        <label for="token">A token of this tier with the scope “operate”</label>
        <input
          id="token"
          type="password"
          autocomplete="off"
          spellcheck={false}
          required
          value={token}
          onInput={event => setToken(event.currentTarget.value)}
        />
        <button type="submit" class="primary">
          Look
        </button>
        <small>It is kept in the memory of this page, and is gone with it.</small>
      </form>
    </main>
  )
}
