// Does with E2B's SDK what it is told to: each line of standard input is the name
// of an act and its arguments, and is answered with the milliseconds it took.
import { randomBytes } from 'node:crypto'
import { createInterface } from 'node:readline'
import { Sandbox } from 'e2b'

const data = new Blob([randomBytes(64 << 20)])
let sandbox // that is used by all acts but those that create

async function created() {
  const fresh = await Sandbox.create({ timeoutMs: 600_000 })
  await fresh.commands.run('true')
  return fresh
}

// Start's only message, with its five bytes in front, as the SDK sends it.
const message = Buffer.from(JSON.stringify({ process: { cmd: '/bin/bash', args: ['-l', '-c', 'true'] } }))
const start = Buffer.concat([Buffer.alloc(5), message])
start.writeUInt32BE(message.length, 1)

async function fetched() {
  const answer = await fetch(`${process.env.E2B_SANDBOX_URL}/process.Process/Start`, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/connect+json',
      'E2b-Sandbox-Id': sandbox.sandboxId,
      'E2b-Sandbox-Port': '49983',
      'X-Access-Token': sandbox.envdAccessToken,
    },
    body: start,
  })
  if (!answer.ok) throw new Error(await answer.text())
  await answer.arrayBuffer()
}

const acts = {
  connect: async (id) => void (sandbox = await Sandbox.connect(id, { timeoutMs: 600_000 })),
  create: (n) => Promise.all(Array.from({ length: n }, created)),
  command: async () => void (await sandbox.commands.run('true')),
  fetch: fetched,
  write: async () => void (await sandbox.files.write('64MiB', data)),
  read: async () => void (await sandbox.files.read('64MiB', { format: 'bytes' })),
  post: async (url) => void (await (await fetch(url, { method: 'POST', body: data })).text()),
  get: async (url) => void (await (await fetch(url)).arrayBuffer()),
}

for await (const line of createInterface({ input: process.stdin })) {
  const [act, ...args] = JSON.parse(line)
  const began = performance.now()
  const fresh = await acts[act](...args)
  const took = performance.now() - began
  await Promise.all((fresh ?? []).map((sandbox) => sandbox.kill()))
  console.log(took)
}
// The SDK keeps connections for later, which would keep the process.
process.exit(0)
