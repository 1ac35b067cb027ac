// What an operator does to a host or a session. Each is asked once more, and is on the time line.

/// <reference lib="dom" />
import { useRef, useState } from 'preact/hooks'
import type { SurveyedTier, SurveyEntry } from '../lib/survey.ts'
import { nameOf, titleOf } from './format.ts'
import type { Store } from './store.ts'
import type { Tree } from './tree.ts'

interface Action {
  name: string
  question: string
  /** Why the tier that is asked here cannot do it, and what can. */
  cannot?: { why: string; command: string } | undefined
  method: string
  params: object
  done: string
}

export function Actions({ store, focus }: { store: Store; focus: SurveyEntry }) {
  const action = actionOf(store.tree, focus)
  return action ? <ActionButton key={focus.id + action.name} {...{ store, focus, action }} /> : null
}

function ActionButton({
  store,
  focus,
  action
}: {
  store: Store
  focus: SurveyEntry
  action: Action
}) {
  const dialog = useRef<HTMLDialogElement>(null)
  const [failure, setFailure] = useState<string>()
  const { name, question, cannot, method, params, done } = action
  async function act() {
    dialog.current!.close()
    try {
      await store.call(method, params)
      setFailure(undefined)
      store.note(`You: ${done}`, focus.id)
    } catch (error) {
      setFailure((error as Error).message)
      store.note(`You: ${name.toLowerCase()} failed: ${(error as Error).message}`, focus.id)
    }
  }
  return (
    <div class="actions">
      <button
        type="button"
        class="danger"
        disabled={cannot !== undefined}
        aria-describedby={cannot && 'cannot'}
        onClick={() => dialog.current!.showModal()}
      >
        {name}
      </button>
      {cannot && (
        <p id="cannot">
          {cannot.why} <code>{cannot.command}</code>
        </p>
      )}
      {failure && (
        <p class="bad" role="alert">
          {failure}
        </p>
      )}
      <dialog ref={dialog} aria-labelledby="question">
        <h2 id="question">{name}?</h2>
        <p>{question}</p>
        <div class="choices">
          <button type="button" onClick={() => dialog.current!.close()}>
            Leave it
          </button>
          <button type="button" class="danger" onClick={act}>
            {name}
          </button>
        </div>
      </dialog>
    </div>
  )
}

function actionOf(tree: Tree, focus: SurveyEntry): Action | undefined {
  if (focus.kind === 'session') {
    const [tier, id] = focus.id.split('/session/') as [string, string]
    return {
      name: 'Close the session',
      question: `All that ${nameOf(focus)} has on ${nameIn(tree, tier)} is closed. Participants lose their media.`,
      cannot:
        tier === tree.root?.id
          ? undefined
          : {
              why: 'It is on a tier below, which has to be asked itself:',
              command: `mafalda kick ${urlIn(tree, tier)} --session ${id}`
            },
      method: 'tier.kick',
      params: { id },
      done: `closed the session of ${nameOf(focus)}`
    }
  }
  if (focus.kind !== 'tier' || focus.tier !== 'leaf' || focus.problem !== undefined)
    return undefined
  return drainOf(tree, focus)
}

function drainOf(tree: Tree, host: SurveyedTier): Action {
  const cancel = host.draining !== undefined
  const hosts = tree.root ? tree.hosts(tree.root.id) : []
  const isOnly = hosts.length === 1
  const url = urlIn(tree, host.id)
  return {
    name: cancel ? 'Cancel the drain' : 'Drain the host',
    question: cancel
      ? `${titleOf(host)} takes new Workers and Routers again.`
      : `${titleOf(host)} takes no new Workers and Routers, applications are told to move, and it ends when it is empty.`,
    cannot: isOnly
      ? undefined
      : {
          why: 'A tier over several hosts drains none of them. Ask the host itself:',
          command: `mafalda drain ${url}${cancel ? ' --cancel' : ''}`
        },
    method: 'tier.drain',
    params: { cancel },
    done: cancel ? `cancelled the drain of ${nameOf(host)}` : `asked ${nameOf(host)} to drain`
  }
}

const nameIn = (tree: Tree, id: string) => {
  const entry = tree.get(id)
  return entry ? nameOf(entry) : id
}

const urlIn = (tree: Tree, id: string) => {
  const tier = tree.get(id)
  return (tier?.kind === 'tier' && tier.name) || 'URL'
}
