import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import http from 'node:http'
import { Sandbox } from 'e2b'
import { Gather, shared, test } from './harness.mjs'

const server = new URL(process.env.E2B_API_URL)

// start runs service.py at a port inside, and returns the host that leads there.
async function start(sandbox, port, address = '0.0.0.0') {
  await sandbox.files.write('/tmp/service.py', await readFile(new URL('service.py', import.meta.url), 'utf8'))
  const out = new Gather()
  await sandbox.commands.run(`python3 /tmp/service.py ${address} ${port}`, { background: true, timeoutMs: 0, onStdout: out.add })
  await out.has('listening')
  return sandbox.getHost(port)
}

let serving
const service = () => (serving ??= shared().then((sandbox) => start(sandbox, 8000)))

// ask makes a request at a host. Resolvers do not lead all names below
// localhost to this machine, as browsers do.
function ask(host, path, { body, ...opts } = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: server.hostname, port: server.port, path, agent: false, ...opts, headers: { host, ...opts.headers } })
    request.on('error', reject)
    request.on('upgrade', (response, socket, head) => resolve({ response, socket, head }))
    request.on('response', (response) => resolve({ response, status: response.statusCode }))
    request.end(body)
  })
}

async function text({ response }) {
  const parts = []
  for await (const part of response) parts.push(part)
  return Buffer.concat(parts).toString()
}

// frame is a short WebSocket frame of a client, with a mask of zeros.
const frame = (opcode, data) => Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | data.length, 0, 0, 0, 0]), Buffer.from(data)])

test('names a host for each port', async () => {
  const sandbox = await shared()
  assert.equal(sandbox.getHost(8000), `8000-${sandbox.sandboxId}.localhost:${server.port}`)
})

test('reaches a service by its host', async () => {
  assert.equal(await text(await ask(await service(), '/hello?a=b')), 'hello from /hello?a=b')
})

test('reaches a service by headers', async () => {
  const sandbox = await shared()
  await service()
  const response = await fetch(`${server.origin}/hello`, { headers: { 'E2b-Sandbox-Id': sandbox.sandboxId, 'E2b-Sandbox-Port': '8000' } })
  assert.equal(await response.text(), 'hello from /hello')
})

test('reaches a service that listens inside alone', async () => {
  const host = await start(await shared(), 8001, '127.0.0.1')
  assert.equal(await text(await ask(host, '/hello')), 'hello from /hello')
})

test('posts to a service, at once and in pieces', async () => {
  const host = await service()
  assert.equal(await text(await ask(host, '/', { method: 'POST', body: 'posted' })), 'posted')
  const body = 'x'.repeat(1 << 20)
  const chunked = ask(host, '/', { method: 'POST', headers: { 'Transfer-Encoding': 'chunked' }, body })
  assert.equal((await text(await chunked)).length, body.length)
})

test('passes headers both ways, but no tokens', async () => {
  const secrets = { 'X-Api-Key': 'k1', 'X-Access-Token': 't1', 'E2b-Traffic-Access-Token': 't2' }
  const answer = await ask(await service(), '/headers', { headers: { 'X-Own': 'kept', Authorization: 'Bearer own', Cookie: 'a=b', ...secrets } })
  assert.equal(answer.response.headers['x-answer'], 'told')
  const told = (await text(answer)).toLowerCase()
  for (const kept of ['x-own: kept', 'authorization: bearer own', 'cookie: a=b', `host: ${await service()}`]) assert.ok(told.includes(kept), told)
  for (const name of Object.keys(secrets)) assert.ok(!told.includes(`${name.toLowerCase()}:`), told)
})

test('passes events as they happen', async () => {
  const { response } = await ask(await service(), '/events')
  const seen = new Gather()
  response.on('data', seen.add)
  await seen.has('data: one')
  assert.equal(await text(await ask(await service(), '/go')), 'gone on')
  await seen.has('data: two')
})

test('waits for an answer that comes late', async () => {
  assert.equal(await text(await ask(await service(), '/later')), 'at last')
})

test('passes much', async () => {
  assert.equal((await text(await ask(await service(), '/much'))).length, 32 << 20)
})

test('passes a WebSocket both ways, until it is closed', async () => {
  const headers = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' }
  const { response, socket } = await ask(await service(), '/socket', { headers })
  assert.equal(response.statusCode, 101)
  assert.equal(response.headers['sec-websocket-accept'], 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
  const seen = new Gather()
  socket.on('data', seen.add)
  for (const word of ['one', 'two']) {
    socket.write(frame(1, word))
    await seen.has(word)
  }
  const closed = new Promise((resolve) => socket.on('close', resolve))
  socket.write(frame(8, ''))
  await closed
})

test('breaks off an answer that a service breaks off', async () => {
  await assert.rejects(async () => text(await ask(await service(), '/breaks')), /aborted|ECONNRESET/)
})

test('answers many requests at once', async () => {
  const host = await service()
  const answers = await Promise.all(Array.from({ length: 40 }, async (_, i) => text(await ask(host, `/${i}`))))
  assert.deepEqual(answers, Array.from({ length: 40 }, (_, i) => `hello from /${i}`))
})

test('says that a port is not open', async () => {
  const sandbox = await shared()
  const answer = await ask(sandbox.getHost(4711), '/')
  assert.equal(answer.status, 502)
  const { sandboxId, port, code } = JSON.parse(await text(answer))
  assert.deepEqual({ sandboxId, port, code }, { sandboxId: sandbox.sandboxId, port: 4711, code: 502 })
})

test('says that a sandbox is not there', async () => {
  const answer = await ask('8000-nosuchsandbox0000000.localhost', '/')
  assert.equal(answer.status, 502)
  assert.equal(JSON.parse(await text(answer)).message, 'The sandbox was not found')
})

test('refuses half a target, and ports that are none', async () => {
  const { sandboxId } = await shared()
  for (const headers of [{ 'E2b-Sandbox-Id': sandboxId }, { 'E2b-Sandbox-Port': '8000' }, { 'E2b-Sandbox-Id': sandboxId, 'E2b-Sandbox-Port': '0' }, { 'E2b-Sandbox-Id': sandboxId, 'E2b-Sandbox-Port': '99999' }]) {
    assert.equal((await fetch(`${server.origin}/`, { headers })).status, 400, JSON.stringify(headers))
  }
})

test('shows a service another host when told to', async (t) => {
  const sandbox = await t.sandbox({ network: { maskRequestHost: 'app.internal:${PORT}' } })
  const host = await start(sandbox, 8000)
  assert.match(await text(await ask(host, '/headers')), /^host: app\.internal:8000$/im)
})

test('lets nobody at the ports of a private sandbox without its token', async (t) => {
  const sandbox = await t.sandbox({ network: { allowPublicTraffic: false } })
  const host = await start(sandbox, 8000)
  assert.ok(sandbox.trafficAccessToken)
  const knock = async (token) => (await ask(host, '/hello', { headers: token ? { 'E2b-Traffic-Access-Token': token } : {} })).status
  assert.equal(await knock(), 403)
  assert.equal(await knock('wrong'), 403)
  assert.equal(await knock(sandbox.trafficAccessToken), 200)
  assert.equal((await Sandbox.connect(sandbox.sandboxId)).trafficAccessToken, sandbox.trafficAccessToken)
})

test('keeps the ports of two sandboxes apart', async (t) => {
  const other = await t.sandbox()
  await service()
  assert.equal((await ask(other.getHost(8000), '/hello')).status, 502)
})

test('reaches a service where there is no network', async (t) => {
  const sandbox = await t.sandbox({ allowInternetAccess: false })
  assert.equal((await sandbox.getInfo()).allowInternetAccess, false)
  const host = await start(sandbox, 8000)
  assert.equal(await text(await ask(host, '/hello')), 'hello from /hello')
})

test('gives a sandbox without a network no way out', async (t) => {
  for (const opts of [{ allowInternetAccess: false }, { network: { denyOut: ['0.0.0.0/0'] } }]) {
    const sandbox = await t.sandbox(opts)
    assert.equal((await sandbox.commands.run('tail -n +3 /proc/net/dev | grep -v " lo:" | wc -l')).stdout, '0\n')
  }
})

test('cannot be reached from inside', async (t) => {
  const probe = `
import socket, struct
gateways = {'127.0.0.1', '169.254.1.2', '10.0.2.2', 'host.containers.internal'}
for line in open('/proc/net/route').read().splitlines()[1:]:
    gateways.add(socket.inet_ntoa(struct.pack('<L', int(line.split()[2], 16))))
for host in gateways - {'0.0.0.0'}:
    try:
        socket.create_connection((host, ${server.port}), 1).close()
        print('reached', host)
    except OSError:
        pass
`
  for (const opts of [{}, { allowInternetAccess: false }]) {
    const sandbox = await t.sandbox(opts)
    await sandbox.files.write('/tmp/probe.py', probe)
    assert.equal((await sandbox.commands.run('python3 /tmp/probe.py')).stdout, '')
  }
})
