// Runs the cases of one script: node main.mjs SCRIPT. Their names come in on
// standard input, one a line, and what became of each goes out on descriptor 3.
import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { Case, cases, endShared } from './harness.mjs'

const answer = (value) => writeSync(3, JSON.stringify(value) + '\n')

// told has the cause in it, where the clients hide what went wrong on the wire.
function told(error) {
  const text = error?.stack ?? String(error)
  return error?.cause ? `${text}\ncaused by ${told(error.cause)}` : text
}

async function run(name) {
  const t = new Case()
  let failure
  try {
    await cases.get(name)(t)
  } catch (error) {
    failure = error
  }
  try {
    await t.end()
  } catch (error) {
    failure ??= error
  }
  answer({ error: failure === undefined ? '' : told(failure) || 'failed without a word' })
}

await import(`./${process.argv[2]}`)
answer({ names: [...cases.keys()] })
for await (const name of createInterface({ input: process.stdin })) await run(name)
await endShared()
// The clients keep connections for later, which would keep the process.
process.exit(0)
