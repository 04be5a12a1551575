import assert from 'node:assert/strict'
import { FileNotFoundError, getSignature } from 'e2b'
import { shared, test } from './harness.mjs'

// asked is what a client that knows nothing but a link gets.
async function asked(link, init) {
  const response = await fetch(link, init)
  return { status: response.status, text: await response.text(), headers: response.headers }
}

const form = (text, name = 'ignored') => {
  const body = new FormData()
  body.append('file', new Blob([text]), name)
  return { method: 'POST', body }
}

test('downloads by a link', async () => {
  const sandbox = await shared()
  await sandbox.files.write('/home/user/linked.txt', 'by a link')
  const { status, text } = await asked(await sandbox.downloadUrl('/home/user/linked.txt'))
  assert.deepEqual([status, text], [200, 'by a link'])
})

test('downloads a part by a link', async () => {
  const sandbox = await shared()
  await sandbox.files.write('/home/user/parts.txt', '0123456789')
  const { status, text } = await asked(await sandbox.downloadUrl('/home/user/parts.txt'), { headers: { Range: 'bytes=2-4' } })
  assert.deepEqual([status, text], [206, '234'])
})

test('downloads by a link with a path of any characters', async () => {
  const sandbox = await shared()
  const path = '/home/user/a b&c=d+e é.txt'
  await sandbox.files.write(path, 'odd')
  assert.equal((await asked(await sandbox.downloadUrl(path))).text, 'odd')
})

test('downloads by a relative path of a named user', async () => {
  const sandbox = await shared()
  await sandbox.files.write('relative', 'of the user')
  assert.equal((await asked(await sandbox.downloadUrl('relative', { user: 'user' }))).text, 'of the user')
})

test('uploads by a link', async () => {
  const sandbox = await shared()
  const { status, text } = await asked(await sandbox.uploadUrl('/home/user/up.txt'), form('uploaded'))
  assert.equal(status, 200, text)
  assert.equal(JSON.parse(text)[0].path, '/home/user/up.txt')
  assert.equal(await sandbox.files.read('/home/user/up.txt'), 'uploaded')
})

test('uploads by a link under the name of the file', async () => {
  const sandbox = await shared()
  assert.equal((await asked(await sandbox.uploadUrl(), form('named', 'named.txt'))).status, 200)
  assert.equal(await sandbox.files.read('/home/user/named.txt'), 'named')
})

test('serves a link until it expires', async () => {
  const sandbox = await shared()
  await sandbox.files.write('/home/user/expires', 'yet')
  assert.equal((await asked(await sandbox.downloadUrl('/home/user/expires', { useSignatureExpiration: 60 }))).text, 'yet')
  const { status, text } = await asked(await sandbox.downloadUrl('/home/user/expires', { useSignatureExpiration: -60 }))
  assert.equal(status, 401)
  assert.equal(JSON.parse(text).message, 'signature is already expired')
})

test('refuses a link whose time was changed', async () => {
  const sandbox = await shared()
  const link = new URL(await sandbox.downloadUrl('/home/user/expires', { useSignatureExpiration: -60 }))
  link.searchParams.set('signature_expiration', `${Math.floor(Date.now() / 1000) + 600}`)
  assert.equal((await asked(link)).status, 401)
})

test('refuses a link whose path was changed', async () => {
  const sandbox = await shared()
  const link = new URL(await sandbox.downloadUrl('/home/user/linked.txt'))
  link.searchParams.set('path', '/etc/passwd')
  assert.equal((await asked(link)).status, 401)
})

test('refuses to write by a link for reading', async () => {
  const sandbox = await shared()
  assert.equal((await asked(await sandbox.downloadUrl('/home/user/linked.txt'), form('x'))).status, 401)
})

test('refuses a link without a signature', async () => {
  const sandbox = await shared()
  const link = new URL(await sandbox.downloadUrl('/home/user/linked.txt'))
  link.searchParams.delete('signature')
  assert.ok([400, 401].includes((await asked(link)).status))
})

test('refuses a link that another token has signed', async (t) => {
  const other = await t.sandbox()
  const sandbox = await shared()
  const { signature } = await getSignature({ path: '/etc/passwd', operation: 'read', user: undefined, envdAccessToken: 'f'.repeat(32) })
  const link = new URL(await sandbox.downloadUrl('/etc/passwd'))
  link.searchParams.set('signature', signature)
  assert.equal((await asked(link)).status, 401)
  const mixed = await asked(await other.downloadUrl('/home/user/linked.txt'), { headers: { 'E2b-Sandbox-Id': sandbox.sandboxId, 'E2b-Sandbox-Port': '49983' } })
  assert.equal(mixed.status, 401)
})

test('finds the sandbox of a link among several', async (t) => {
  const links = []
  for (const name of ['one', 'two', 'three']) {
    const sandbox = await t.sandbox()
    await sandbox.files.write('/home/user/who', name)
    links.push(await sandbox.downloadUrl('/home/user/who'))
  }
  assert.deepEqual(await Promise.all(links.map(async (link) => (await asked(link)).text)), ['one', 'two', 'three'])
})

test('refuses a link to a sandbox that is gone', async (t) => {
  const sandbox = await t.sandbox()
  const link = await sandbox.downloadUrl('/etc/hostname')
  await sandbox.kill()
  assert.ok((await asked(link)).status >= 400)
})

test('reports a file that does not exist behind a link', async () => {
  const sandbox = await shared()
  assert.equal((await asked(await sandbox.downloadUrl('/no/such/file'))).status, 404)
  await assert.rejects(sandbox.files.read('/no/such/file'), FileNotFoundError)
})
