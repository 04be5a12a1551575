import assert from 'node:assert/strict'
import http2 from 'node:http2'
import net from 'node:net'
import { networkInterfaces } from 'node:os'
import { Sandbox, TimeoutError } from 'e2b'
import { first, Gather, test } from './harness.mjs'

// The same server as for all others, with a certificate: the clients speak
// HTTP/2 with it.
const url = process.env.TLS_URL
const tls = { apiUrl: url, sandboxUrl: url }
const { port } = new URL(url)

test('offers HTTP/2', async () => {
  const session = http2.connect(url)
  const { give, value } = first()
  session.on('connect', () => give(session.alpnProtocol))
  assert.equal(await value, 'h2')
  session.close()
})

test('runs commands, terminals, files and watches over TLS', async (t) => {
  const sandbox = await t.sandbox(tls)
  const results = await Promise.all(Array.from({ length: 20 }, (_, i) => sandbox.commands.run(`echo ${i}`)))
  assert.deepEqual(results.map((r) => r.stdout), results.map((_, i) => `${i}\n`))
  const changed = first()
  const watch = await sandbox.files.watchDir('/home/user', changed.give)
  const big = 'x'.repeat(8 << 20)
  await sandbox.files.write('/home/user/big', big)
  assert.equal(await sandbox.files.read('/home/user/big'), big)
  assert.equal((await changed.value).name, 'big')
  await watch.stop()
  const seen = new Gather()
  const terminal = await sandbox.pty.create({ cols: 80, rows: 24, onData: seen.add, timeoutMs: 0 })
  await sandbox.pty.sendInput(terminal.pid, new TextEncoder().encode('echo $((6*7))\n'))
  await seen.has('42')
  await terminal.kill()
})

test('hurts no stream of another sandbox on the same connection', async (t) => {
  const [dies, lives] = [await t.sandbox(tls), await t.sandbox(tls)]
  const command = await lives.commands.run('read line; echo "got $line"', { background: true, stdin: true, timeoutMs: 0 })
  const dying = await Promise.all(Array.from({ length: 5 }, () => dies.commands.run('sleep 100', { background: true, timeoutMs: 0 })))
  const ended = dying.map((c) => assert.rejects(c.wait(), TimeoutError))
  await dies.kill()
  await Promise.all(ended)
  await command.sendStdin('on\n')
  assert.equal((await command.wait()).stdout, 'got on\n')
})

// The server listens at every address of this host, and each of them is one that
// a sandbox may know or guess.
test('cannot be reached from inside at any address of the host', async (t) => {
  const addresses = Object.values(networkInterfaces()).flat().filter(({ family }) => family === 'IPv4').map(({ address }) => address)
  const reach = (host) => new Promise((resolve) => {
    const socket = net.connect({ host, port }, () => resolve(socket.destroy()))
    socket.on('error', resolve)
  })
  for (const address of addresses) assert.ok(!((await reach(address)) instanceof Error), `${address} is not reached from the host itself`)
  const probe = `
import socket, struct
hosts = set('${addresses.join(' ')}'.split()) | {'127.0.0.1', '169.254.1.2', '10.0.2.2', 'host.containers.internal'}
for line in open('/proc/net/route').read().splitlines()[1:]:
    hosts.add(socket.inet_ntoa(struct.pack('<L', int(line.split()[2], 16))))
for host in hosts - {'0.0.0.0'}:
    try:
        socket.create_connection((host, ${port}), 1).close()
        print('reached', host)
    except OSError:
        pass
`
  for (const opts of [{}, { allowInternetAccess: false }]) {
    const sandbox = await t.sandbox({ ...tls, ...opts })
    await sandbox.files.write('/tmp/probe.py', probe)
    assert.equal((await sandbox.commands.run('python3 /tmp/probe.py')).stdout, '')
  }
})
