import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Sandbox, SandboxNotFoundError, TimeoutError } from 'e2b'
import { first, Gather, test } from './harness.mjs'

// Somebody else ends a sandbox: with qs, which the server learns from the engine.
const kill = (sandbox) => promisify(execFile)(process.env.QS_PROGRAM, ['kill', sandbox.sandboxId])

test('tells a command that its sandbox was killed', async (t) => {
  const sandbox = await t.sandbox()
  const command = await sandbox.commands.run('sleep 100', { background: true, timeoutMs: 0 })
  const ended = assert.rejects(command.wait(), TimeoutError)
  await sandbox.kill()
  await ended
})

test('tells a command that somebody else killed its sandbox', async (t) => {
  const sandbox = await t.sandbox()
  const out = new Gather()
  const command = await sandbox.commands.run('echo on; sleep 100', { background: true, timeoutMs: 0, onStdout: out.add })
  await out.has('on')
  const ended = assert.rejects(command.wait(), TimeoutError)
  await kill(sandbox)
  await ended
})

test('tells a terminal that its sandbox was killed', async (t) => {
  const sandbox = await t.sandbox()
  const terminal = await sandbox.pty.create({ cols: 80, rows: 24, onData() {}, timeoutMs: 0 })
  const ended = assert.rejects(terminal.wait(), TimeoutError)
  await kill(sandbox)
  await ended
})

test('tells a watcher that its sandbox was killed', async (t) => {
  const sandbox = await t.sandbox()
  const exit = first()
  await sandbox.files.watchDir('/tmp', () => {}, { timeoutMs: 0, onExit: exit.give })
  await kill(sandbox)
  assert.ok((await exit.value) instanceof Error)
})

test('breaks off a download when the sandbox is killed', async (t) => {
  const sandbox = await t.sandbox()
  await sandbox.commands.run('truncate -s 4G /tmp/big')
  const reader = (await sandbox.files.read('/tmp/big', { format: 'stream' })).getReader()
  await reader.read()
  await kill(sandbox)
  await assert.rejects(async () => {
    while (!(await reader.read()).done);
  })
})

test('says of a sandbox that is gone that it is not found', async (t) => {
  const sandbox = await t.sandbox()
  await kill(sandbox)
  assert.equal(await sandbox.isRunning(), false)
  await assert.rejects(sandbox.commands.run('true'), SandboxNotFoundError)
  await assert.rejects(sandbox.files.read('/etc/hostname'), TimeoutError)
  await assert.rejects(Sandbox.connect(sandbox.sandboxId), SandboxNotFoundError)
  assert.equal(await sandbox.kill(), false)
})

test('hurts no other sandbox by the death of one', async (t) => {
  const [dies, lives] = [await t.sandbox(), await t.sandbox()]
  const command = await lives.commands.run('read line; echo "got $line"', { background: true, stdin: true, timeoutMs: 0 })
  const dying = await dies.commands.run('sleep 100', { background: true, timeoutMs: 0 })
  const ended = assert.rejects(dying.wait(), TimeoutError)
  await kill(dies)
  await ended
  await command.sendStdin('on\n')
  assert.equal((await command.wait()).stdout, 'got on\n')
})

test('goes on when all memory of commands is lost to a client', async (t) => {
  const { sandboxId } = await t.sandbox()
  const once = await Sandbox.connect(sandboxId)
  const { pid } = await once.commands.run('read line; exit ${#line}', { background: true, stdin: true, timeoutMs: 0 })
  const again = await Sandbox.connect(sandboxId)
  const command = await again.commands.connect(pid)
  await command.sendStdin('four\n')
  await assert.rejects(command.wait(), (e) => e.exitCode === 4)
})
