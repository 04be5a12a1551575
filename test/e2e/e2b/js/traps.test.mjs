// What has gone wrong in servers of this kind; each case is a bound on it.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { shared, test } from './harness.mjs'

// soak runs commands, so many at once, and QS_TEST_SOAK in all.
async function soak(atOnce) {
  const sandbox = await shared()
  const total = Number(process.env.QS_TEST_SOAK ?? 333)
  let started = 0
  const worker = async () => {
    while (started < total) {
      const word = `${atOnce}-${started++}`
      assert.equal((await sandbox.commands.run(`echo ${word}`)).stdout, `${word}\n`)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}

test('loses no command of many, one at a time', () => soak(1))

test('loses no command of many, two at a time', () => soak(2))

test('loses no command of many, eight at a time', () => soak(8))

// The client asks for gzip, and takes minutes to unpack what cannot be packed.
test('downloads 64 MiB as they are', async () => {
  const sandbox = await shared()
  await sandbox.commands.run('head -c 64M /dev/urandom >/home/user/random')
  const began = performance.now()
  assert.equal((await sandbox.files.read('/home/user/random', { format: 'bytes' })).length, 64 << 20)
  assert.ok(performance.now() - began < 10_000)
})

test('packs downloads only for those who insist', async () => {
  const sandbox = await shared()
  await sandbox.files.write('/home/user/packed', 'x'.repeat(100_000))
  const link = await sandbox.downloadUrl('/home/user/packed')
  const encoding = async (accept) => (await fetch(link, { headers: { 'Accept-Encoding': accept } })).headers.get('content-encoding')
  assert.equal(await encoding('gzip, deflate'), null)
  assert.equal(await encoding('gzip, deflate, br'), null)
  assert.equal(await encoding('identity'), null)
  assert.equal(await encoding('gzip'), 'gzip')
})

// A transport that adds gzip by itself unpacks and loses the length.
test('tells the length of a download', async () => {
  const sandbox = await shared()
  await sandbox.files.write('/home/user/length', 'x'.repeat(100_000))
  const response = await fetch(await sandbox.downloadUrl('/home/user/length'))
  assert.equal(response.headers.get('content-length'), '100000')
})

test('uploads 64 MiB', async () => {
  const sandbox = await shared()
  const data = randomBytes(64 << 20)
  await sandbox.files.write('/home/user/up', new Blob([data]))
  assert.equal((await sandbox.files.getInfo('/home/user/up')).size, data.length)
})
