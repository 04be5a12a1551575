import assert from 'node:assert/strict'
import { Sandbox, SandboxNotFoundError } from 'e2b'
import { shared, test } from './harness.mjs'

const unknown = 'nosuchsandbox0000000'

// kept is a snapshot of a sandbox in which a file says so.
async function kept(t, opts) {
  const sandbox = await t.sandbox()
  await sandbox.files.write('/home/user/kept', 'kept')
  const snapshot = await sandbox.createSnapshot(opts)
  t.defer(() => Sandbox.deleteSnapshot(snapshot.snapshotId))
  return { sandbox, snapshot }
}

async function all(pages) {
  const items = []
  while (pages.hasNext) items.push(...(await pages.nextItems()))
  return items
}

test('starts a sandbox from a snapshot', async (t) => {
  const { sandbox, snapshot } = await kept(t)
  assert.equal(await sandbox.isRunning(), true)
  const again = await Sandbox.create(snapshot.snapshotId)
  t.defer(() => again.kill())
  assert.equal(await again.files.read('/home/user/kept'), 'kept')
  assert.equal((await again.getInfo()).templateId, snapshot.snapshotId)
})

test('starts a sandbox from a snapshot with options of its own', async (t) => {
  const { snapshot } = await kept(t)
  const again = await Sandbox.create(snapshot.snapshotId, { metadata: { of: 'its own' }, envs: { A: 'b' }, timeoutMs: 60_000 })
  t.defer(() => again.kill())
  assert.deepEqual((await again.getInfo()).metadata, { of: 'its own' })
  assert.equal((await again.commands.run('echo $A')).stdout, 'b\n')
})

test('names a snapshot', async (t) => {
  const { snapshot } = await kept(t, { name: 'named-by-a-test' })
  assert.ok(snapshot.names.some((name) => name.includes('named-by-a-test')), snapshot.names)
})

test('lists snapshots, all and those of a sandbox', async (t) => {
  const { sandbox, snapshot } = await kept(t)
  const { snapshot: other } = await kept(t)
  const ids = (await all(Sandbox.listSnapshots())).map((s) => s.snapshotId)
  assert.ok(ids.includes(snapshot.snapshotId) && ids.includes(other.snapshotId))
  assert.deepEqual((await all(sandbox.listSnapshots())).map((s) => s.snapshotId), [snapshot.snapshotId])
})

test('lists snapshots in pages', async (t) => {
  const made = [await kept(t), await kept(t), await kept(t)].map(({ snapshot }) => snapshot.snapshotId)
  const pages = Sandbox.listSnapshots({ limit: 2 })
  const first = await pages.nextItems()
  assert.equal(first.length, 2)
  assert.equal(pages.hasNext, true)
  const rest = await all(pages)
  assert.deepEqual([...first, ...rest].map((s) => s.snapshotId).sort(), made.sort())
})

test('deletes a snapshot, once', async (t) => {
  const { snapshot } = await kept(t)
  assert.equal(await Sandbox.deleteSnapshot(snapshot.snapshotId), true)
  assert.equal(await Sandbox.deleteSnapshot(snapshot.snapshotId), false)
  await assert.rejects(Sandbox.create(snapshot.snapshotId))
})

test('takes no snapshot of what does not exist', async () => {
  await assert.rejects(Sandbox.createSnapshot(unknown), SandboxNotFoundError)
})

test('forks a sandbox', async (t) => {
  const sandbox = await t.sandbox({ metadata: { of: 'the original' } })
  await sandbox.files.write('/home/user/kept', 'kept')
  const forks = await sandbox.fork({ count: 2, timeoutMs: 60_000 })
  for (const fork of forks) {
    assert.ok(fork instanceof Sandbox, fork)
    t.defer(() => fork.kill())
    assert.notEqual(fork.sandboxId, sandbox.sandboxId)
    assert.equal(await fork.files.read('/home/user/kept'), 'kept')
    assert.equal((await fork.commands.run('echo $E2B_SANDBOX_ID')).stdout.trim(), fork.sandboxId)
  }
  await forks[0].files.write('/home/user/kept', 'changed')
  assert.equal(await sandbox.files.read('/home/user/kept'), 'kept')
  assert.equal(await forks[1].files.read('/home/user/kept'), 'kept')
})

test('forks nothing that does not exist', async () => {
  await assert.rejects(Sandbox.fork(unknown), SandboxNotFoundError)
})

test('refuses more forks than one call can make', async () => {
  await assert.rejects((await shared()).fork({ count: 10_000 }))
})
