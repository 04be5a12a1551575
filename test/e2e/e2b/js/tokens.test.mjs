import assert from 'node:assert/strict'
import { AuthenticationError, Sandbox, SandboxNotFoundError } from 'e2b'
import { shared, test } from './harness.mjs'

const server = process.env.E2B_API_URL
const other = { apiKey: process.env.OTHER_API_KEY }
const bound = { apiKey: process.env.BOUND_API_KEY }

// holding is a sandbox object with another token than its own.
const holding = ({ sandboxId, sandboxDomain }, envdAccessToken) =>
  new Sandbox({ sandboxId, sandboxDomain, envdVersion: '0.6.13', envdAccessToken })

// tokenOf is what only a sandbox's creator is told.
async function tokenOf({ sandboxId }) {
  const response = await fetch(`${server}/v2/sandboxes/${sandboxId}/connect`, { method: 'POST', headers: { 'X-API-KEY': process.env.E2B_API_KEY } })
  return (await response.json()).envdAccessToken
}

// each is all that a sandbox can be asked.
const each = {
  'commands.run': (s) => s.commands.run('id'),
  'commands.list': (s) => s.commands.list(),
  'commands.kill': (s) => s.commands.kill(1),
  'commands.sendStdin': (s) => s.commands.sendStdin(1, 'x'),
  'pty.create': (s) => s.pty.create({ cols: 1, rows: 1, onData() {} }),
  'files.read': (s) => s.files.read('/etc/hostname'),
  'files.write': (s) => s.files.write('/tmp/x', 'x'),
  'files.list': (s) => s.files.list('/'),
  'files.remove': (s) => s.files.remove('/tmp/x'),
  'files.watchDir': (s) => s.files.watchDir('/tmp', () => {}),
}

async function refusesAll(sandbox) {
  for (const [name, call] of Object.entries(each)) await assert.rejects(call(sandbox), AuthenticationError, name)
}

test('lets nobody in without a token', async () => {
  await refusesAll(holding(await shared(), undefined))
})

test('lets nobody in with a wrong token', async () => {
  await refusesAll(holding(await shared(), '0'.repeat(32)))
})

test('lets nobody in with the token of another sandbox', async (t) => {
  await refusesAll(holding(await shared(), await tokenOf(await t.sandbox())))
})

test('lets in with the right token', async () => {
  const sandbox = await shared()
  assert.equal((await holding(sandbox, await tokenOf(sandbox)).commands.run('echo in')).stdout, 'in\n')
})

test('keeps the token from code inside', async () => {
  const sandbox = await shared()
  const token = await tokenOf(sandbox)
  const { stdout } = await sandbox.commands.run(`env; cat /proc/*/environ /proc/*/cmdline 2>/dev/null | tr '\\0' '\\n' | grep -v grep`)
  assert.ok(!stdout.includes(token))
})

test('has no way to the agent that is the host alone', async () => {
  const sandbox = await shared()
  const headers = { 'E2b-Sandbox-Id': sandbox.sandboxId, 'E2b-Sandbox-Port': '49983', 'X-Access-Token': await tokenOf(sandbox) }
  for (const path of ['/init', '/freeze', '/upgrade', '/quixand/v1/lease', '//init', '/files/../init', '/%69nit']) {
    const { status } = await fetch(server + path, { method: 'POST', headers, body: '{}' })
    assert.ok([400, 404, 405].includes(status), `${path}: ${status}`)
  }
})

test('refuses a key that is wrong or missing', async () => {
  for (const apiKey of ['e2b_' + '0'.repeat(40), 'e2b_', 'x']) {
    const opts = { apiKey, validateApiKey: false }
    await assert.rejects(Sandbox.create(opts), AuthenticationError)
    await assert.rejects(Sandbox.list(opts).nextItems(), AuthenticationError)
    await assert.rejects(Sandbox.kill((await shared()).sandboxId, opts), AuthenticationError)
  }
  assert.equal((await fetch(`${server}/v2/sandboxes`)).status, 401)
})

test('keeps keys from one another: lists', async (t) => {
  const [mine, theirs] = [await t.sandbox(), await t.sandbox(other)]
  const ids = async (opts) => (await Sandbox.list(opts).nextItems()).map((s) => s.sandboxId)
  assert.ok((await ids()).includes(mine.sandboxId) && !(await ids()).includes(theirs.sandboxId))
  assert.deepEqual(await ids(other), [theirs.sandboxId])
})

test('keeps keys from one another: calls', async () => {
  const { sandboxId } = await shared()
  const calls = {
    getInfo: () => Sandbox.getInfo(sandboxId, other),
    connect: () => Sandbox.connect(sandboxId, other),
    setTimeout: () => Sandbox.setTimeout(sandboxId, 1000, other),
    pause: () => Sandbox.pause(sandboxId, other),
    getMetrics: () => Sandbox.getMetrics(sandboxId, other),
    createSnapshot: () => Sandbox.createSnapshot(sandboxId, other),
    fork: () => Sandbox.fork(sandboxId, other),
  }
  for (const [name, call] of Object.entries(calls)) await assert.rejects(call(), SandboxNotFoundError, name)
  assert.equal(await Sandbox.kill(sandboxId, other), false)
  assert.equal(await (await shared()).isRunning(), true)
})

test('tells nobody whether a sandbox of another key exists', async () => {
  const { sandboxId } = await shared()
  const told = async (id) => {
    const response = await fetch(`${server}/sandboxes/${id}`, { headers: { 'X-API-KEY': process.env.OTHER_API_KEY } })
    return `${response.status} ${(await response.text()).replaceAll(id, 'ID')}`
  }
  assert.equal(await told(sandboxId), await told('nosuchsandbox0000000'))
})

test('keeps keys from one another: snapshots', async (t) => {
  const { snapshotId } = await (await shared()).createSnapshot()
  t.defer(() => Sandbox.deleteSnapshot(snapshotId))
  assert.deepEqual(await Sandbox.listSnapshots(other).nextItems(), [])
  assert.equal(await Sandbox.deleteSnapshot(snapshotId, other), false)
  await assert.rejects(Sandbox.create(snapshotId, other))
  assert.equal((await Sandbox.listSnapshots().nextItems()).length, 1)
})

test('holds a key to its number of sandboxes', async (t) => {
  const sandbox = await t.sandbox(bound)
  await assert.rejects(Sandbox.create({ ...bound, retries: 0 }), (e) => e.constructor.name === 'RateLimitError')
  await sandbox.kill()
  await t.sandbox(bound)
})

test('holds a key to its timeout and templates', async () => {
  await assert.rejects(Sandbox.create({ ...bound, timeoutMs: 3_600_000 }), /^SandboxError: 400/)
  await assert.rejects(Sandbox.create('code-interpreter-v1', bound), /^SandboxError: 403/)
})

test('leaves a sandbox open that nobody wants secured', async (t) => {
  const response = await fetch(`${server}/sandboxes`, {
    method: 'POST', headers: { 'X-API-KEY': process.env.E2B_API_KEY }, body: JSON.stringify({ templateID: 'base', timeout: 60 }),
  })
  const { sandboxID, envdAccessToken } = await response.json()
  t.defer(() => Sandbox.kill(sandboxID))
  assert.equal(envdAccessToken, undefined)
  const sandbox = holding({ sandboxId: sandboxID }, undefined)
  assert.equal((await sandbox.commands.run('echo open')).stdout, 'open\n')
  assert.ok(!(await sandbox.downloadUrl('/x')).includes('signature'))
})
