import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { Sandbox } from 'e2b'
import { shared, test, until } from './harness.mjs'

const program = new URL('node_modules/@e2b/cli/dist/index.js', import.meta.url)

// e2b runs the CLI, and returns what it said and its exit code.
async function e2b(args, { input = '', env = {} } = {}) {
  const child = spawn('node', [program.pathname, ...args], { env: { ...process.env, ...env } })
  child.stdin.end(input)
  const exit = new Promise((resolve) => child.on('close', resolve))
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  return { stdout, stderr, code: await exit }
}

// good is e2b that must succeed.
async function good(args, opts) {
  const { stdout, stderr, code } = await e2b(args, opts)
  assert.equal(code, 0, stdout + stderr)
  return stdout
}

test('is the version that is pinned', async () => {
  assert.match(await good(['--version']), /2\.19\.0/)
  for (const [name, version] of [['e2b', '2.51.0'], ['@e2b/code-interpreter', '2.8.0']]) {
    const file = new URL(`node_modules/${name}/package.json`, import.meta.url)
    assert.equal(JSON.parse(readFileSync(file, 'utf8')).version, version)
  }
})

test('e2b sandbox create', async (t) => {
  const out = await good(['sandbox', 'create', '-d', '--timeout', '90', 'base'])
  const id = out.match(/\b[a-z0-9]{20}\b/)[0]
  t.defer(() => Sandbox.kill(id))
  const info = await Sandbox.getInfo(id)
  assert.equal(info.templateId, 'base')
  assert.ok(Math.abs(info.endAt - Date.now() - 90_000) < 10_000)
})

test('e2b sandbox create, to be paused', async (t) => {
  const out = await good(['sandbox', 'create', '-d', '--lifecycle.ontimeout', 'pause', '--lifecycle.autoresume', 'base'])
  const id = out.match(/\b[a-z0-9]{20}\b/)[0]
  t.defer(() => Sandbox.kill(id))
  assert.deepEqual((await Sandbox.getInfo(id)).lifecycle, { onTimeout: 'pause', autoResume: true })
})

test('e2b sandbox list', async (t) => {
  const { sandboxId } = await t.sandbox({ metadata: { for: 'list' } })
  assert.ok((await good(['sandbox', 'list'])).includes(sandboxId))
  const found = JSON.parse(await good(['sandbox', 'list', '-f', 'json', '-m', 'for=list']))
  assert.deepEqual(found.map((s) => s.sandboxId), [sandboxId])
})

test('e2b sandbox list of what is paused', async (t) => {
  const sandbox = await t.sandbox()
  await sandbox.pause()
  const found = async (state) => (await good(['sandbox', 'list', '-s', state])).includes(sandbox.sandboxId)
  assert.deepEqual([await found('paused'), await found('running')], [true, false])
})

test('e2b sandbox info', async () => {
  const { sandboxId } = await shared()
  const info = JSON.parse(await good(['sandbox', 'info', '-f', 'json', sandboxId]))
  assert.deepEqual([info.sandboxId, info.state], [sandboxId, 'running'])
  assert.ok((await good(['sandbox', 'info', sandboxId])).includes(sandboxId))
})

test('e2b sandbox exec', async () => {
  const { sandboxId } = await shared()
  const { stdout, stderr, code } = await e2b(['sandbox', 'exec', '-e', 'A=b', '-c', '/tmp', sandboxId, 'echo $A $PWD; echo err >&2; exit 7'])
  assert.deepEqual([stdout, code], ['b /tmp\n', 7])
  assert.match(stderr, /^err\n/) // and then the CLI's own words
})

test('e2b sandbox exec of several words', async () => {
  const { sandboxId } = await shared()
  assert.equal(await good(['sandbox', 'exec', sandboxId, 'printf', '%s|', 'a b', "c'd", '$HOME']), "a b|c'd|$HOME|")
})

test('e2b sandbox exec with input', async () => {
  const { sandboxId } = await shared()
  const input = 'line\n'.repeat(50_000)
  assert.equal(await good(['sandbox', 'exec', sandboxId, 'wc -c'], { input }), `${input.length}\n`)
})

test('e2b sandbox exec in the background', async () => {
  const sandbox = await shared()
  await good(['sandbox', 'exec', '-b', sandbox.sandboxId, 'sleep 0.2; touch /tmp/background'])
  await until(() => sandbox.files.exists('/tmp/background'))
})

test('e2b sandbox logs', async (t) => {
  const sandbox = await t.sandbox()
  await sandbox.commands.run('echo told to the log')
  const { stdout } = await e2b(['sandbox', 'logs', sandbox.sandboxId])
  assert.ok(stdout.includes('told to the log'), stdout)
})

test('e2b sandbox metrics', async () => {
  const { sandboxId } = await shared()
  assert.match(await good(['sandbox', 'metrics', sandboxId]), /CPU/)
})

test('e2b sandbox pause and resume', async (t) => {
  const sandbox = await t.sandbox()
  await good(['sandbox', 'pause', sandbox.sandboxId])
  assert.equal((await sandbox.getInfo()).state, 'paused')
  await good(['sandbox', 'resume', sandbox.sandboxId])
  assert.equal((await sandbox.getInfo()).state, 'running')
})

test('e2b sandbox kill', async (t) => {
  const sandbox = await t.sandbox()
  await good(['sandbox', 'kill', sandbox.sandboxId])
  assert.equal(await sandbox.isRunning(), false)
})

test('e2b sandbox kill of all that have a mark', async (t) => {
  const [marked, other] = [await t.sandbox({ metadata: { mark: 'kill' } }), await t.sandbox()]
  await good(['sandbox', 'kill', '--all', '-m', 'mark=kill'])
  assert.deepEqual([await marked.isRunning(), await other.isRunning()], [false, true])
})

test('e2b template list', async () => {
  assert.ok((await good(['template', 'list', '-f', 'json'])).trim().startsWith('['))
})

test('e2b with a wrong key', async () => {
  const { code, stderr, stdout } = await e2b(['sandbox', 'list'], { env: { E2B_API_KEY: `e2b_${'0'.repeat(40)}` } })
  assert.notEqual(code, 0)
  assert.match(stdout + stderr, /key|unauthori[sz]ed/i)
})
