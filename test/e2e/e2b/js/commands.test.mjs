import assert from 'node:assert/strict'
import { AuthenticationError, CommandExitError, InvalidArgumentError, NotFoundError, SandboxError, TimeoutError } from 'e2b'
import { fresh, Gather, shared, test, until } from './harness.mjs'

const run = async (command, opts) => (await shared()).commands.run(command, opts)
const background = async (command, opts) => (await shared()).commands.run(command, { background: true, timeoutMs: 0, ...opts })

// stopped is a background command that is killed when the case ends.
async function stopped(t, command, opts) {
  const handle = await background(command, opts)
  t.defer(() => handle.kill())
  return handle
}

test('runs a command', async () => {
  const result = await run('echo out; echo err >&2')
  assert.deepEqual({ ...result }, { exitCode: 0, error: undefined, stdout: 'out\n', stderr: 'err\n' })
})

test('runs a command of several lines', async () => {
  assert.equal((await run('x=1\nx=$((x + 1))\necho $x')).stdout, '2\n')
})

test('runs a command with special characters', async () => {
  assert.equal((await run(`echo 'a "b" $c \\ \` é 你好 🎉'`)).stdout, 'a "b" $c \\ ` é 你好 🎉\n')
})

test('runs a command that says nothing', async () => {
  assert.equal((await run('true')).stdout, '')
})

test('throws the exit code of a command that fails', async () => {
  await assert.rejects(run('echo out; echo err >&2; exit 42'), (e) => {
    assert.ok(e instanceof CommandExitError)
    assert.deepEqual([e.exitCode, e.stdout, e.stderr, e.error], [42, 'out\n', 'err\n', 'exit status 42'])
    return true
  })
})

test('throws for a command that does not exist', async () => {
  await assert.rejects(run('no-such-command-at-all'), (e) => e instanceof CommandExitError && e.exitCode === 127 && /not found/.test(e.stderr))
})

test('tells that a command died of a signal', async () => {
  await assert.rejects(run('kill -KILL $$'), (e) => e instanceof CommandExitError && e.error === 'signal: killed' && e.exitCode === -1)
})

test('sets variables for one command', async () => {
  assert.equal((await run('echo $A $B', { envs: { A: '1', B: 'two words' } })).stdout, '1 two words\n')
  assert.equal((await run('echo "${A-unset}"')).stdout, 'unset\n')
})

test('lets variables of a command win over those of the sandbox', async (t) => {
  const sandbox = await t.sandbox({ envs: { WHO: 'sandbox', KEPT: 'kept' } })
  assert.equal((await sandbox.commands.run('echo $WHO $KEPT', { envs: { WHO: 'command' } })).stdout, 'command kept\n')
})

test('starts commands in the home directory', async () => {
  assert.equal((await run('pwd; echo $HOME; whoami')).stdout, '/home/user\n/home/user\nuser\n')
})

test('starts a command in a directory', async () => {
  assert.equal((await run('pwd', { cwd: '/usr/lib' })).stdout, '/usr/lib\n')
})

test('takes directories relative to the home directory', async () => {
  await run('mkdir -p sub/dir')
  assert.equal((await run('pwd', { cwd: 'sub/dir' })).stdout, '/home/user/sub/dir\n')
  assert.equal((await run('pwd', { cwd: '~/sub' })).stdout, '/home/user/sub\n')
})

test('refuses a directory that does not exist', async () => {
  await assert.rejects(run('pwd', { cwd: '/no/such/directory' }), InvalidArgumentError)
})

test('refuses a user that does not exist', async () => {
  await assert.rejects(run('whoami', { user: 'nobody-at-all' }), AuthenticationError)
})

test('runs a command as a user by name', async () => {
  assert.equal((await run('whoami', { user: 'user' })).stdout, 'user\n')
})

test('streams output while a command runs', async (t) => {
  const out = new Gather()
  const command = await stopped(t, 'echo one; read line; echo two', { stdin: true, onStdout: out.add })
  await out.has('one')
  await command.sendStdin('\n')
  await out.has('two')
  assert.equal((await command.wait()).stdout, 'one\ntwo\n')
})

test('streams both outputs apart', async () => {
  const out = new Gather()
  const err = new Gather()
  await run('for i in 1 2 3; do echo out$i; echo err$i >&2; done', { onStdout: out.add, onStderr: err.add })
  assert.deepEqual([out.text, err.text], ['out1\nout2\nout3\n', 'err1\nerr2\nerr3\n'])
})

test('keeps characters whole that are cut between reads', async () => {
  const { stdout } = await run(`printf '\\xf0\\x9f'; sleep 0.1; printf '\\x8e\\x89'`)
  assert.equal(stdout, '🎉')
})

test('brings much output, whole', async () => {
  const { stdout } = await run('seq 1 400000')
  assert.equal(stdout.length, 2_688_895)
  assert.ok(stdout.endsWith('\n399999\n400000\n'))
})

test('keeps stdin shut unless it is asked for', async () => {
  assert.equal((await run('cat; echo end')).stdout, 'end\n')
})

test('passes input and its end', async (t) => {
  const command = await stopped(t, 'cat; echo end', { stdin: true })
  await command.sendStdin('one\n')
  await command.sendStdin(new TextEncoder().encode('two\n'))
  await command.closeStdin()
  assert.equal((await command.wait()).stdout, 'one\ntwo\nend\n')
})

test('passes empty input', async (t) => {
  const command = await stopped(t, 'cat', { stdin: true })
  await command.sendStdin('')
  await command.closeStdin()
  assert.equal((await command.wait()).stdout, '')
})

test('passes much input, byte by byte what it was', async (t) => {
  const data = Buffer.alloc(1 << 20, 'abcdefghijklmnopqrstuvwxy\n')
  const command = await stopped(t, 'sha256sum', { stdin: true })
  for (let at = 0; at < data.length; at += 1 << 17) await command.sendStdin(data.subarray(at, at + (1 << 17)))
  await command.closeStdin()
  const { createHash } = await import('node:crypto')
  assert.equal((await command.wait()).stdout.split(' ')[0], createHash('sha256').update(data).digest('hex'))
})

test('refuses input to a command that has none', async (t) => {
  const command = await stopped(t, 'sleep 100', { stdin: false })
  await assert.rejects((await shared()).commands.sendStdin(command.pid, 'x'), SandboxError)
})

test('refuses input to what does not run', async () => {
  await assert.rejects((await shared()).commands.sendStdin(999_999, 'x'), NotFoundError)
})

test('leaves a command in the background', async (t) => {
  const command = await stopped(t, 'sleep 100')
  assert.ok(command.pid > 1)
  await run(`kill -0 ${command.pid}`)
})

test('lists commands that run', async (t) => {
  const command = await stopped(t, 'sleep 101', { envs: { A: 'b' }, cwd: '/tmp' })
  const [found] = (await (await shared()).commands.list()).filter(({ pid }) => pid === command.pid)
  assert.deepEqual(
    { cmd: found.cmd, args: found.args, envs: found.envs, cwd: found.cwd },
    { cmd: '/bin/bash', args: ['-l', '-c', 'sleep 101'], envs: { A: 'b' }, cwd: '/tmp' },
  )
})

test('does not list commands that have ended', async () => {
  const command = await background('true')
  await command.wait()
  assert.ok(!(await (await shared()).commands.list()).some(({ pid }) => pid === command.pid))
})

test('kills a command, once', async () => {
  const command = await background('sleep 100')
  assert.equal(await command.kill(), true)
  await assert.rejects(command.wait(), (e) => e instanceof CommandExitError && e.error === 'signal: killed')
  assert.equal(await (await shared()).commands.kill(command.pid), false)
})

test('kills nothing where nothing runs', async () => {
  assert.equal(await (await shared()).commands.kill(999_999), false)
})

test('connects to a command', async (t) => {
  const command = await stopped(t, 'read line; echo "got $line"; exit 3', { stdin: true })
  const out = new Gather()
  const again = await (await shared()).commands.connect(command.pid, { onStdout: out.add })
  await again.sendStdin('it\n')
  for (const handle of [command, again]) {
    await assert.rejects(handle.wait(), (e) => e instanceof CommandExitError && e.exitCode === 3 && e.stdout === 'got it\n')
  }
  assert.equal(out.text, 'got it\n')
})

test('does not connect to what does not run', async () => {
  await assert.rejects((await shared()).commands.connect(999_999), NotFoundError)
})

test('lets a command go on that nobody listens to', async () => {
  const path = fresh('went-on')
  const command = await background(`sleep 0.3; echo yes >${path}`)
  await command.disconnect()
  const { files } = await shared()
  await until(async () => (await files.exists(path)) && (await files.read(path)) === 'yes\n')
})

test('ends a command at its timeout', async () => {
  const began = Date.now()
  await assert.rejects(run('echo $$ >/tmp/slow; exec sleep 100', { timeoutMs: 700 }), TimeoutError)
  assert.ok(Date.now() - began < 10_000)
  await until(async () => (await run('kill -0 $(cat /tmp/slow) 2>/dev/null || echo dead')).stdout === 'dead\n')
})

test('ends a command at its timeout when nobody listens', async () => {
  const command = await (await shared()).commands.run('exec sleep 100', { background: true, timeoutMs: 700 })
  await command.disconnect()
  await until(async () => !(await (await shared()).commands.list()).some(({ pid }) => pid === command.pid))
})

test('gives up a request that takes too long', async () => {
  await assert.rejects(run('sleep 0.2', { requestTimeoutMs: 1 }), TimeoutError)
})

test('gives up a command when its caller does', async (t) => {
  const quit = new AbortController()
  const command = await stopped(t, 'sleep 100', { signal: quit.signal })
  quit.abort()
  await assert.rejects(command.wait())
})

test('runs commands beside one another', async () => {
  const numbers = Array.from({ length: 20 }, (_, i) => i)
  const results = await Promise.all(numbers.map((i) => run(`echo ${i}`)))
  assert.deepEqual(results.map((r) => r.stdout), numbers.map((i) => `${i}\n`))
})

test('passes a long command line', async () => {
  assert.equal((await run(`echo ${'x'.repeat(100_000)} | wc -c`)).stdout, '100001\n')
})

test('reports a command line that no kernel takes', async () => {
  await assert.rejects(run(`echo ${'x'.repeat(200_000)}`), SandboxError)
})

test('waits for what a command leaves holding its output', async () => {
  assert.equal((await run('(sleep 0.4; echo late) & echo early')).stdout, 'early\nlate\n')
})

test('does not wait for what has let go of the output', async () => {
  const began = Date.now()
  await run('sleep 30 >/dev/null 2>&1 </dev/null & echo started')
  assert.ok(Date.now() - began < 10_000)
})
