// What the scripts with cases have in common.
import { Sandbox } from 'e2b'

export const cases = new Map()

// test declares a case. Go reads its name from the source: one line, in single
// quotes.
export function test(name, run) {
  if (cases.has(name)) throw new Error(`two cases are called ${name}`)
  cases.set(name, run)
}

// Case is one run of a case, and undoes at its end what the case says.
export class Case {
  #ends = []

  defer(end) {
    this.#ends.push(end)
  }

  // sandbox is one that is killed when the case ends.
  async sandbox(opts = {}) {
    const sandbox = await Sandbox.create({ timeoutMs: 120_000, ...opts })
    this.defer(() => Sandbox.kill(sandbox.sandboxId, { apiKey: opts.apiKey }))
    return sandbox
  }

  async end() {
    for (const end of this.#ends.reverse()) await end()
  }
}

let common

// shared is one sandbox for all cases of a script that leave it usable.
export function shared() {
  common ??= Sandbox.create({ timeoutMs: 600_000 })
  return common
}

export async function endShared() {
  if (common) await (await common).kill()
}

// fresh is a path that no other case uses.
let paths = 0
export const fresh = (name) => `/home/user/${++paths}-${name}`

// until asks again, quickly, until the answer is not false. It is for what
// cannot be waited for: the test's time limit ends it.
export async function until(ask) {
  for (;;) {
    const answer = await ask()
    if (answer) return answer
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

// first resolves with the first value that is given to its function.
export function first() {
  let give
  const value = new Promise((resolve) => (give = resolve))
  return { give, value }
}

// gather collects text, and lets one wait for what shall be in it.
export class Gather {
  text = ''
  #waiting = []
  #decoder = new TextDecoder()

  add = (data) => {
    this.text += typeof data === 'string' ? data : this.#decoder.decode(data, { stream: true })
    this.#waiting = this.#waiting.filter(({ what, resolve }) => !(this.text.includes(what) && (resolve(), true)))
  }

  has(what) {
    return new Promise((resolve) => {
      this.#waiting.push({ what, resolve })
      this.add('')
    })
  }
}
