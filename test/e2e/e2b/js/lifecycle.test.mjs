import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { NotFoundError, Sandbox, SandboxError, SandboxNotFoundError } from 'e2b'
import { shared, test, until } from './harness.mjs'

const server = process.env.E2B_API_URL
const unknown = 'nosuchsandbox0000000'
const soon = (seconds) => Date.now() + seconds * 1000
// near tells whether a sandbox ends so many seconds from now, give or take two.
const near = async (sandbox, seconds) => Math.abs((await sandbox.getInfo()).endAt - soon(seconds)) < 2000

test('creates a sandbox that runs commands', async (t) => {
  const sandbox = await t.sandbox()
  assert.match(sandbox.sandboxId, /^[a-z0-9]+$/)
  assert.equal((await sandbox.commands.run('echo hi')).stdout, 'hi\n')
})

test('creates from a template by its name', async (t) => {
  const sandbox = await Sandbox.create('code-interpreter-v1')
  t.defer(() => sandbox.kill())
  assert.equal((await sandbox.getInfo()).templateId, 'code-interpreter-v1')
})

test('refuses a template that does not exist', async () => {
  await assert.rejects(Sandbox.create('no-such-template'), (e) => e instanceof SandboxError && /no-such-template/.test(e.message))
})

test('refuses an image in place of a template', async () => {
  await assert.rejects(Sandbox.create('docker.io/library/alpine:latest'), SandboxError)
})

test('describes a sandbox', async (t) => {
  const sandbox = await t.sandbox({ metadata: { purpose: 'describe', 'ключ é': 'значение &=+%' } })
  const info = await sandbox.getInfo()
  assert.equal(info.sandboxId, sandbox.sandboxId)
  assert.equal(info.templateId, 'base')
  assert.equal(info.state, 'running')
  assert.deepEqual(info.metadata, { purpose: 'describe', 'ключ é': 'значение &=+%' })
  assert.ok(Math.abs(info.startedAt - Date.now()) < 10_000)
  assert.ok(info.cpuCount >= 1 && info.memoryMB > 0)
  assert.match(info.envdVersion, /^\d+\.\d+\.\d+$/)
  assert.equal(info.allowInternetAccess, true)
  assert.deepEqual(info.lifecycle, { onTimeout: 'kill', autoResume: false })
})

test('describes a sandbox by its id alone', async () => {
  const sandbox = await shared()
  assert.equal((await Sandbox.getInfo(sandbox.sandboxId)).sandboxId, sandbox.sandboxId)
})

test('keeps its own notes out of the metadata', async () => {
  const { metadata } = await (await shared()).getInfo()
  assert.deepEqual(metadata ?? {}, {})
})

test('sets environment variables for all commands', async (t) => {
  const sandbox = await t.sandbox({ envs: { GREETING: 'hello "there"', EMPTY: '' } })
  assert.equal((await sandbox.commands.run('echo "$GREETING" "${EMPTY-unset}"')).stdout, 'hello "there" \n')
})

test('tells code inside where it is', async () => {
  const sandbox = await shared()
  const { stdout } = await sandbox.commands.run('echo $E2B_SANDBOX $E2B_SANDBOX_ID $E2B_TEMPLATE_ID')
  assert.equal(stdout, `true ${sandbox.sandboxId} base\n`)
})

test('gives a sandbox the timeout that is asked for', async (t) => {
  assert.ok(await near(await t.sandbox({ timeoutMs: 77_000 }), 77))
})

test('gives a sandbox five minutes when nothing is said', async (t) => {
  const sandbox = await Sandbox.create()
  t.defer(() => sandbox.kill())
  assert.ok(await near(sandbox, 300))
})

test('moves the timeout both ways', async (t) => {
  const sandbox = await t.sandbox()
  await sandbox.setTimeout(900_000)
  assert.ok(await near(sandbox, 900))
  await Sandbox.setTimeout(sandbox.sandboxId, 60_000)
  assert.ok(await near(sandbox, 60))
})

test('refuses a timeout that is no time at all', async () => {
  const sandbox = await shared()
  await assert.rejects(sandbox.setTimeout(0), (e) => e instanceof SandboxError && /^400/.test(e.message))
  await assert.rejects(sandbox.setTimeout(-5000), SandboxError)
  assert.equal(await sandbox.isRunning(), true)
})

test('ends a sandbox at its timeout, whatever runs in it', async (t) => {
  const sandbox = await t.sandbox({ timeoutMs: 2000 })
  const busy = await sandbox.commands.run('while true; do echo busy; sleep 0.1; done', { background: true })
  await assert.rejects(busy.wait())
  await until(async () => !(await sandbox.isRunning()))
  await assert.rejects(sandbox.getInfo(), SandboxNotFoundError)
})

test('connects to a sandbox that runs', async () => {
  const sandbox = await shared()
  await sandbox.files.write('/tmp/there', 'yes')
  const again = await Sandbox.connect(sandbox.sandboxId)
  assert.equal(await again.files.read('/tmp/there'), 'yes')
})

test('connects without making the timeout shorter', async (t) => {
  const sandbox = await t.sandbox({ timeoutMs: 800_000 })
  await Sandbox.connect(sandbox.sandboxId, { timeoutMs: 10_000 })
  assert.ok(await near(sandbox, 800))
})

test('connects and makes the timeout longer', async (t) => {
  const sandbox = await t.sandbox({ timeoutMs: 30_000 })
  await sandbox.connect({ timeoutMs: 500_000 })
  assert.ok(await near(sandbox, 500))
})

test('does not connect to what does not exist', async () => {
  await assert.rejects(Sandbox.connect(unknown), SandboxNotFoundError)
})

test('kills a sandbox, once', async (t) => {
  const sandbox = await t.sandbox()
  assert.equal(await sandbox.kill(), true)
  assert.equal(await sandbox.kill(), false)
  assert.equal(await sandbox.isRunning(), false)
  await assert.rejects(sandbox.getInfo(), SandboxNotFoundError)
})

test('kills nothing where there is nothing', async () => {
  assert.equal(await Sandbox.kill(unknown), false)
})

test('answers for ids that no sandbox can have', async () => {
  for (const id of ['a', 'UPPER', 'a b', '../../etc', '%2e%2e', 'x'.repeat(500)]) {
    await assert.rejects(Sandbox.getInfo(id), NotFoundError, id)
  }
})

test('tells whether a sandbox runs', async () => {
  assert.equal(await (await shared()).isRunning(), true)
})

test('pauses a sandbox, once', async (t) => {
  const sandbox = await t.sandbox()
  assert.equal(await sandbox.pause(), true)
  assert.equal(await sandbox.pause(), false)
  assert.equal((await sandbox.getInfo()).state, 'paused')
  assert.equal(await sandbox.isRunning(), false)
})

test('does not pause what does not exist', async () => {
  await assert.rejects(Sandbox.pause(unknown), SandboxNotFoundError)
})

test('refuses commands while a sandbox is paused', async (t) => {
  const sandbox = await t.sandbox()
  await sandbox.pause()
  await assert.rejects(sandbox.commands.run('true'), SandboxNotFoundError)
})

test('goes on where it was paused', async (t) => {
  const sandbox = await t.sandbox()
  const command = await sandbox.commands.run('read line; echo "got $line"', { background: true, stdin: true, timeoutMs: 0 })
  await command.disconnect()
  await sandbox.pause()
  const again = await Sandbox.connect(sandbox.sandboxId, { timeoutMs: 100_000 })
  assert.equal((await again.getInfo()).state, 'running')
  assert.ok(await near(again, 100))
  assert.ok((await again.commands.list()).some(({ pid }) => pid === command.pid))
  const attached = await again.commands.connect(command.pid)
  await again.commands.sendStdin(command.pid, 'resumed\n')
  assert.equal((await attached.wait()).stdout, 'got resumed\n')
})

test('pauses and resumes again and again', async (t) => {
  const sandbox = await t.sandbox()
  for (let i = 0; i < 3; i++) {
    await sandbox.pause()
    await sandbox.connect()
    assert.equal((await sandbox.commands.run(`echo ${i}`)).stdout, `${i}\n`)
  }
})

test('pauses at the timeout when told to', async (t) => {
  const sandbox = await t.sandbox({ timeoutMs: 2000, lifecycle: { onTimeout: 'pause' } })
  assert.deepEqual((await sandbox.getInfo()).lifecycle, { onTimeout: 'pause', autoResume: false })
  await sandbox.files.write('/tmp/kept', 'kept')
  await until(async () => (await sandbox.getInfo()).state === 'paused')
  await sandbox.connect({ timeoutMs: 60_000 })
  assert.equal(await sandbox.files.read('/tmp/kept'), 'kept')
})

test('wakes up for a request when told to', async (t) => {
  const sandbox = await t.sandbox({ lifecycle: { onTimeout: 'pause', autoResume: true } })
  assert.deepEqual((await sandbox.getInfo()).lifecycle, { onTimeout: 'pause', autoResume: true })
  await sandbox.pause()
  assert.equal((await sandbox.commands.run('echo awake')).stdout, 'awake\n')
  assert.equal((await sandbox.getInfo()).state, 'running')
})

// Somebody else pauses a sandbox: the server learns it from the engine, a little
// later than the sandbox has stopped.
const qs = (...args) => promisify(execFile)(process.env.QS_PROGRAM, args)

// ask makes a request to a sandbox, and fails when the answer takes long.
async function ask(headers) {
  const response = await fetch(`${server}/envs`, { headers, signal: AbortSignal.timeout(10_000) })
  await response.text()
  return response.status
}

// askWhile keeps asking, several times at once, while it pauses a sandbox.
async function askWhile({ sandboxId }, pause) {
  const info = await fetch(`${server}/sandboxes/${sandboxId}`, { headers: { 'X-API-KEY': process.env.E2B_API_KEY } })
  const { envdAccessToken } = await info.json()
  const headers = { 'E2b-Sandbox-Id': sandboxId, 'E2b-Sandbox-Port': '49983', 'X-Access-Token': envdAccessToken }
  const statuses = new Set()
  let on = true
  const asking = Array.from({ length: 8 }, async () => {
    while (on) statuses.add(await ask(headers))
  })
  await until(() => statuses.size > 0)
  await pause()
  on = false
  await Promise.all(asking)
  return statuses
}

test('leaves no request without an answer when somebody pauses a sandbox', async (t) => {
  const sandbox = await t.sandbox()
  for (const pause of [() => qs('pause', sandbox.sandboxId), () => sandbox.pause()]) {
    for (let i = 0; i < 3; i++) {
      const statuses = await askWhile(sandbox, pause)
      assert.ok(statuses.has(200) && [...statuses].every((s) => s === 200 || s === 502), [...statuses].join())
      assert.equal(await sandbox.isRunning(), false)
      await sandbox.connect()
    }
  }
})

test('wakes up for a request that somebody has paused it under', async (t) => {
  const sandbox = await t.sandbox({ lifecycle: { onTimeout: 'pause', autoResume: true } })
  for (let i = 0; i < 3; i++) {
    assert.deepEqual([...(await askWhile(sandbox, () => qs('pause', sandbox.sandboxId)))], [200])
  }
})

test('kills a paused sandbox', async (t) => {
  const sandbox = await t.sandbox()
  await sandbox.pause()
  assert.equal(await sandbox.kill(), true)
  await assert.rejects(sandbox.getInfo(), SandboxNotFoundError)
})

test('refuses a pause that forgets the memory', async () => {
  await assert.rejects((await shared()).pause({ keepMemory: false }), (e) => e instanceof SandboxError && /^501/.test(e.message))
})

test('refuses to reboot in place of resuming', async (t) => {
  const sandbox = await t.sandbox()
  await sandbox.pause()
  await assert.rejects(sandbox.connect({ onResume: 'reboot' }), (e) => e instanceof SandboxError && /^501/.test(e.message))
})

test('creates ten at once, all usable', async (t) => {
  const all = await Promise.all(Array.from({ length: 10 }, () => t.sandbox()))
  const outputs = await Promise.all(all.map((s) => s.commands.run('echo $E2B_SANDBOX_ID')))
  assert.deepEqual(outputs.map((o) => o.stdout.trim()), all.map((s) => s.sandboxId))
})

test('measures a sandbox', async () => {
  const [now] = await (await shared()).getMetrics()
  assert.ok(Math.abs(now.timestamp - Date.now()) < 5000)
  assert.ok(now.cpuCount >= 1 && now.cpuUsedPct >= 0)
  assert.ok(now.memTotal > now.memUsed && now.memUsed > 0)
  assert.ok(now.diskTotal > 0 && now.diskUsed >= 0)
})

test('has no measurements of a time when it took none', async () => {
  const sandbox = await shared()
  assert.deepEqual(await sandbox.getMetrics({ start: new Date(1e12), end: new Date(1e12 + 1000) }), [])
})

test('measures nothing that does not exist', async () => {
  await assert.rejects(Sandbox.getMetrics(unknown), SandboxNotFoundError)
})

test('refuses what only the hosted cloud has', async () => {
  const hosted = [
    { network: { allowOut: ['1.1.1.1'], denyOut: ['0.0.0.0/0'] } },
    { network: { denyOut: ['10.0.0.0/8'] } },
    { network: { rules: { 'example.com': [{ transform: { headers: { A: 'b' } } }] } } },
    { network: { egressProxy: { address: 'proxy.example:1080' } } },
    { mcp: { exa: { apiKey: 'k' } } },
    { iam: { tokens: { web: { audience: 'a', tokenType: 'JWT-SVID' } } } },
    { volumeMounts: { '/data': 'volume' } },
  ]
  for (const opts of hosted) {
    await assert.rejects(Sandbox.create(opts), (e) => e instanceof SandboxError && /^501/.test(e.message), JSON.stringify(opts))
  }
  await assert.rejects((await shared()).updateNetwork({ denyOut: ['10.0.0.0/8'] }), (e) => /^501/.test(e.message))
})
