// The templates that are there without anybody having built them, and sudo.
import assert from 'node:assert/strict'
import { Sandbox, Template } from 'e2b'
import { Sandbox as Interpreter } from '@e2b/code-interpreter'
import { Gather, shared, test } from './harness.mjs'

const server = process.env.E2B_API_URL
const headers = { 'X-API-KEY': process.env.E2B_API_KEY }

async function run(command, opts) {
  return (await (await shared()).commands.run(command, opts)).stdout
}

test('begins with what most code expects', async () => {
  assert.equal(await run('whoami; pwd; echo $HOME $SHELL'), 'user\n/home/user\n/home/user /bin/bash\n')
  await run('bash --version && python3 --version && python --version && git --version && curl --version && pip --version')
})

test('lists the templates that come with it', async () => {
  const listed = await (await fetch(`${server}/templates`, { headers })).json()
  for (const name of ['base', 'code-interpreter-v1']) {
    const found = listed.filter(({ aliases }) => aliases.includes(name))
    assert.equal(found.length, 1, name)
    assert.equal(found[0].buildStatus, 'ready')
    assert.equal(found[0].public, true)
    assert.equal(await Template.exists(name), true)
  }
})

test('has the packages of the code interpreter', async (t) => {
  const sandbox = await Sandbox.create('code-interpreter-v1')
  t.defer(() => sandbox.kill())
  const { stdout } = await sandbox.commands.run(`python3 -c 'import matplotlib, numpy, pandas; print(numpy.arange(4).sum())'; pwd; sudo id -u`)
  assert.equal(stdout, '6\n/home/user\n0\n')
})

test('says that there is no interpreter yet', async (t) => {
  const sandbox = await Interpreter.create()
  t.defer(() => sandbox.kill())
  await assert.rejects(sandbox.runCode('1 + 1'), /port is not open|502|not found/)
})

test('leaves the names of its own templates to nobody', async () => {
  await assert.rejects(Template.build(Template().fromImage(process.env.QS_IMAGE), 'base'), /server's/)
})

test('builds from the template that comes with it', async (t) => {
  const name = 'e2b-test-from-base'
  t.defer(() => fetch(`${server}/templates/${name}`, { method: 'DELETE', headers }))
  await Template.build(Template().fromTemplate('base').runCmd('whoami >~/built; pwd >>~/built'), name)
  const sandbox = await Sandbox.create(name)
  t.defer(() => sandbox.kill())
  assert.equal((await sandbox.commands.run('cat ~/built; sudo id -un')).stdout, 'user\n/home/user\nroot\n')
})

test('starts where a template says, and as whom', async (t) => {
  const name = 'e2b-test-workdir'
  t.defer(() => fetch(`${server}/templates/${name}`, { method: 'DELETE', headers }))
  const template = Template().fromTemplate('base').setUser('root').runCmd('useradd --create-home other').setWorkdir('/srv/app').setUser('other')
  await Template.build(template, name)
  const sandbox = await Sandbox.create(name)
  t.defer(() => sandbox.kill())
  assert.equal((await sandbox.commands.run('pwd; whoami; echo ~; sudo id -un')).stdout, '/srv/app\nother\n/home/other\nroot\n')
  assert.equal((await sandbox.commands.run('whoami', { user: 'user' })).stdout, 'user\n')
  await sandbox.files.write('relative.txt', 'x')
  assert.equal((await sandbox.commands.run('stat -c %U ~/relative.txt')).stdout, 'other\n')
})

test('runs commands as root', async () => {
  assert.equal(await run('sudo touch /etc/touched && stat -c %U /etc/touched && sudo rm /etc/touched'), 'root\n')
  assert.equal(await run('id -u', { user: 'root' }), '0\n')
  assert.equal(await run('echo piped | sudo tee /root/file && sudo cat /root/file && sudo -u nobody whoami'), 'piped\npiped\nnobody\n')
})

test('installs a package as root', async () => {
  await run(`mkdir -p ~/pkg/DEBIAN ~/pkg/opt/tried && echo hello >~/pkg/opt/tried/file &&
    printf 'Package: tried\\nVersion: 1\\nArchitecture: all\\nMaintainer: nobody <nobody@example.org>\\nDescription: tried\\n' >~/pkg/DEBIAN/control &&
    dpkg-deb --root-owner-group --build ~/pkg ~/tried.deb && sudo apt-get install -y ~/tried.deb`)
  assert.equal(await run('cat /opt/tried/file; stat -c %U /opt/tried/file'), 'hello\nroot\n')
})

test('tells the exit code and the errors of what root runs', async () => {
  const sandbox = await shared()
  await assert.rejects(sandbox.commands.run(`sudo sh -c 'echo out; echo err >&2; exit 7'`), (e) => e.exitCode === 7 && e.stdout === 'out\n' && e.stderr === 'err\n')
  await assert.rejects(sandbox.commands.run('sudo --nonsense'), (e) => e.exitCode === 1 && e.stderr.startsWith('sudo: '))
})

test('ends what root runs with the command', async () => {
  const sandbox = await shared()
  const command = await sandbox.commands.run('sudo sleep 98765', { background: true })
  const running = `$(grep -lsz '^98765' /proc/[0-9]*/cmdline | wc -l)`
  await run(`until [ ${running} -ge 2 ]; do sleep 0.02; done`) // sudo, and what it runs
  assert.equal(await command.kill(), true)
  await run(`until [ ${running} -eq 0 ]; do sleep 0.02; done`)
})

test('is root in a terminal', async (t) => {
  const { pty } = await shared()
  const screen = new Gather()
  const handle = await pty.create({ cols: 100, rows: 30, onData: screen.add, timeoutMs: 0 })
  t.defer(() => pty.kill(handle.pid))
  const type = (text) => pty.sendInput(handle.pid, new TextEncoder().encode(text))
  await type('sudo bash; echo "back with $? as $(whoami)"; exit\n')
  await type('echo "am $(whoami) on $(tty) with $(stty size)"\n')
  await screen.has('am root on /dev/pts/')
  await screen.has('with 30 100')
  await type(`sh -c 'trap "echo inter""rupted" INT; echo wait""ing; sleep 1000'\n`)
  await screen.has('waiting')
  await type('\x03')
  await screen.has('interrupted')
  await type('exit 3\n')
  await screen.has('back with 3 as user')
  assert.equal((await handle.wait()).exitCode, 0)
})

test('is root in forks and in what starts from snapshots', async (t) => {
  const sandbox = await shared()
  const snapshot = await sandbox.createSnapshot()
  t.defer(() => Sandbox.deleteSnapshot(snapshot.snapshotId))
  const again = await Sandbox.create(snapshot.snapshotId)
  t.defer(() => again.kill())
  assert.equal((await again.commands.run('sudo whoami; pwd')).stdout, 'root\n/home/user\n')
})
