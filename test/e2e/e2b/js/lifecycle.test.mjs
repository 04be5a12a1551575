import assert from 'node:assert/strict'
import { Sandbox } from 'e2b'
import { test } from './harness.mjs'

test('creates a sandbox that runs commands', async (t) => {
  const sandbox = await t.sandbox()
  assert.equal((await sandbox.commands.run('echo hi')).stdout, 'hi\n')
})
