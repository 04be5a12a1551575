import assert from 'node:assert/strict'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BuildError, Sandbox, Template } from 'e2b'
import { test } from './harness.mjs'

const server = process.env.E2B_API_URL
const headers = { 'X-API-KEY': process.env.E2B_API_KEY }

// build builds a template that goes with the case.
async function build(t, template, name, opts) {
  t.defer(() => fetch(`${server}/templates/${name}`, { method: 'DELETE', headers }))
  return Template.build(template, name, opts)
}

async function from(t, name) {
  const sandbox = await Sandbox.create(name)
  t.defer(() => sandbox.kill())
  return sandbox
}

test('builds a template and starts from it', async (t) => {
  const logs = []
  const template = Template().fromImage(process.env.QS_IMAGE).runCmd('mkdir -p /opt && echo built >/opt/built').setEnvs({ BUILT: 'yes' })
  const info = await build(t, template, 'e2b-test-run', { onBuildLogs: (entry) => logs.push(entry.message) })
  assert.ok(info.templateId && info.buildId)
  assert.ok(logs.length > 0)
  const sandbox = await from(t, 'e2b-test-run')
  assert.equal((await sandbox.commands.run('cat /opt/built; echo $BUILT')).stdout, 'built\nyes\n')
})

test('builds a template with files', async (t) => {
  const context = await mkdtemp(join(tmpdir(), 'context-'))
  await writeFile(join(context, 'file.txt'), 'from the context')
  const template = Template({ fileContextPath: context }).fromImage(process.env.QS_IMAGE).copy('file.txt', '/opt/file.txt')
  await build(t, template, 'e2b-test-copy')
  assert.equal(await (await from(t, 'e2b-test-copy')).files.read('/opt/file.txt'), 'from the context')
})

test('tells whether a template exists', async (t) => {
  assert.equal(await Template.exists('e2b-test-exists'), false)
  await build(t, Template().fromImage(process.env.QS_IMAGE).runCmd('true'), 'e2b-test-exists')
  assert.equal(await Template.exists('e2b-test-exists'), true)
})

test('tells which step of a build has failed', async (t) => {
  const template = Template().fromImage(process.env.QS_IMAGE).runCmd('true').runCmd('echo no-luck; exit 3')
  await assert.rejects(build(t, template, 'e2b-test-fails'), BuildError)
})

test('does not build from a template that does not exist', async (t) => {
  await assert.rejects(build(t, Template().fromTemplate('no-such-template').runCmd('true'), 'e2b-test-nothing'))
})

test('keeps a template from other keys', async (t) => {
  await build(t, Template().fromImage(process.env.QS_IMAGE).runCmd('true'), 'e2b-test-mine')
  await assert.rejects(Sandbox.create('e2b-test-mine', { apiKey: process.env.OTHER_API_KEY }))
})
