import assert from 'node:assert/strict'
import { CommandExitError, NotFoundError, TimeoutError } from 'e2b'
import { Gather, shared, test } from './harness.mjs'

// terminal is a shell whose text is gathered, and which ends with the case.
async function terminal(t, opts = {}) {
  const { pty } = await shared()
  const screen = new Gather()
  const handle = await pty.create({ cols: 80, rows: 24, onData: screen.add, timeoutMs: 0, ...opts })
  t.defer(() => pty.kill(handle.pid))
  const type = (text) => pty.sendInput(handle.pid, new TextEncoder().encode(text))
  return { pty, handle, screen, type }
}

test('opens a terminal', async (t) => {
  const { handle, screen, type } = await terminal(t)
  await type('tty; echo sum $((40 + 2))\n')
  await screen.has('sum 42')
  assert.match(screen.text, /\/dev\/pts\/\d/)
  await type('exit\n')
  assert.equal((await handle.wait()).exitCode, 0)
})

test('tells the exit code of a terminal', async (t) => {
  const { handle, type } = await terminal(t)
  await type('exit 9\n')
  await assert.rejects(handle.wait(), (e) => e instanceof CommandExitError && e.exitCode === 9)
})

test('has the size that it was given', async (t) => {
  const { screen, type } = await terminal(t, { cols: 133, rows: 33 })
  await type('stty size\n')
  await screen.has('33 133')
})

test('resizes a terminal', async (t) => {
  const { pty, handle, screen, type } = await terminal(t)
  await type(`trap 'echo new: $(stty size)' WINCH; echo tra''pped\n`)
  await screen.has('trapped')
  await pty.resize(handle.pid, { cols: 101, rows: 41 })
  await type('\n')
  await screen.has('new: 41 101')
})

test('is a login shell of the user', async (t) => {
  const { screen, type } = await terminal(t)
  await type(`shopt -q login_shell && echo "log""in $(whoami) $PWD $TERM"\n`)
  await screen.has('login user /home/user xterm-256color')
})

test('takes variables and a directory', async (t) => {
  const { screen, type } = await terminal(t, { envs: { COLOUR: 'green' }, cwd: '/tmp' })
  await type('echo "is $COLOUR in $PWD"\n')
  await screen.has('is green in /tmp')
})

test('interrupts what runs in a terminal', async (t) => {
  const { screen, type } = await terminal(t)
  await type(`sh -c 'trap "echo inter""rupted" INT; echo wait""ing; sleep 100'\n`)
  await screen.has('waiting')
  await type('\x03')
  await screen.has('interrupted')
})

test('ends a terminal with its input', async (t) => {
  const { handle, screen, type } = await terminal(t)
  await type('echo rea""dy\n')
  await screen.has('ready')
  await type('\x04')
  assert.equal((await handle.wait()).exitCode, 0)
})

test('passes all bytes of a terminal', async (t) => {
  const { screen, type } = await terminal(t)
  await type(`printf '\\033[31mred\\033[0m é 你好\\n'\n`)
  await screen.has('\x1b[31mred\x1b[0m é 你好')
})

test('connects to a terminal', async (t) => {
  const { pty, handle, type } = await terminal(t)
  const second = new Gather()
  await handle.disconnect()
  const again = await pty.connect(handle.pid, { onData: second.add })
  await type('echo agai""n\n')
  await second.has('again')
  await type('exit 4\n')
  await assert.rejects(again.wait(), (e) => e instanceof CommandExitError && e.exitCode === 4)
})

test('kills a terminal, once', async (t) => {
  const { pty, handle } = await terminal(t)
  assert.equal(await pty.kill(handle.pid), true)
  await assert.rejects(handle.wait(), CommandExitError)
  assert.equal(await pty.kill(handle.pid), false)
})

test('ends a terminal at its timeout', async (t) => {
  const { handle } = await terminal(t, { timeoutMs: 700 })
  await assert.rejects(handle.wait(), TimeoutError)
})

test('reports a terminal that does not exist', async () => {
  const { pty } = await shared()
  await assert.rejects(pty.sendInput(999_999, new Uint8Array([10])), NotFoundError)
  await assert.rejects(pty.resize(999_999, { cols: 1, rows: 1 }), NotFoundError)
  await assert.rejects(pty.connect(999_999), NotFoundError)
})

test('is listed among the commands', async (t) => {
  const { handle } = await terminal(t)
  const [found] = (await (await shared()).commands.list()).filter(({ pid }) => pid === handle.pid)
  assert.deepEqual(found.args, ['-i', '-l'])
})
