import assert from 'node:assert/strict'
import { FilesystemEventType as Type, FileNotFoundError, InvalidArgumentError, TimeoutError } from 'e2b'
import { first, fresh, shared, test } from './harness.mjs'

// watched is a new directory, and a way to wait for what happens in it.
async function watched(t, opts) {
  const { files } = await shared()
  const dir = fresh('watched')
  await files.makeDir(dir)
  const seen = []
  let wake = () => {}
  const handle = await files.watchDir(dir, (event) => (seen.push(event), wake()), opts)
  t.defer(() => handle.stop())
  async function saw(type, name) {
    for (;;) {
      const event = seen.find((e) => e.type === type && e.name === name)
      if (event) return event
      await new Promise((resolve) => (wake = resolve))
    }
  }
  return { files, dir, seen, saw, handle }
}

test('sees a file that is created and written', async (t) => {
  const { files, dir, saw } = await watched(t)
  await files.write(`${dir}/new`, 'text')
  await saw(Type.CREATE, 'new')
  await saw(Type.WRITE, 'new')
})

test('sees what commands do', async (t) => {
  const { dir, saw } = await watched(t)
  const { commands } = await shared()
  await commands.run(`cd ${dir} && echo a >file && chmod 600 file && mv file moved && rm moved`)
  await saw(Type.CREATE, 'file')
  await saw(Type.CHMOD, 'file')
  await saw(Type.RENAME, 'file')
  await saw(Type.CREATE, 'moved')
  await saw(Type.REMOVE, 'moved')
})

test('sees a directory that is made', async (t) => {
  const { files, dir, saw } = await watched(t)
  await files.makeDir(`${dir}/sub`)
  await saw(Type.CREATE, 'sub')
})

test('does not look into directories unless told to', async (t) => {
  const { files, dir, seen, saw } = await watched(t)
  await files.makeDir(`${dir}/sub`)
  await saw(Type.CREATE, 'sub')
  await files.write(`${dir}/sub/inside`, 'x')
  await files.write(`${dir}/last`, 'x')
  await saw(Type.WRITE, 'last')
  assert.ok(!seen.some((e) => e.name.includes('inside')))
})

test('looks into directories that were there', async (t) => {
  const { files } = await shared()
  const dir = fresh('before')
  await files.makeDir(`${dir}/sub`)
  const event = first()
  const handle = await files.watchDir(dir, event.give, { recursive: true })
  t.defer(() => handle.stop())
  await files.write(`${dir}/sub/file`, 'x')
  assert.equal((await event.value).name, 'sub/file')
})

test('looks into directories that come later', async (t) => {
  const { files, dir, saw } = await watched(t, { recursive: true })
  await files.makeDir(`${dir}/sub`)
  await saw(Type.CREATE, 'sub')
  await files.write(`${dir}/sub/file`, 'x')
  await saw(Type.WRITE, 'sub/file')
})

test('describes what has changed when asked to', async (t) => {
  const { files, dir, saw } = await watched(t, { includeEntry: true })
  await files.write(`${dir}/file`, '12345')
  assert.equal((await saw(Type.WRITE, 'file')).entry.path, `${dir}/file`)
})

test('sees nothing after it was stopped', async (t) => {
  const { files, dir, seen, saw, handle } = await watched(t)
  await files.write(`${dir}/one`, 'x')
  await saw(Type.WRITE, 'one')
  await handle.stop()
  const before = seen.length
  await files.write(`${dir}/two`, 'x')
  await (await shared()).commands.run('true')
  assert.equal(seen.slice(before).filter((e) => e.name === 'two').length, 0)
})

test('tells when its time is up', async (t) => {
  const exit = first()
  await watched(t, { timeoutMs: 500, onExit: exit.give })
  assert.ok((await exit.value) instanceof TimeoutError)
})

test('tells each of several watchers', async (t) => {
  const { files, dir, saw } = await watched(t)
  const event = first()
  const second = await files.watchDir(dir, event.give)
  t.defer(() => second.stop())
  await files.write(`${dir}/both`, 'x')
  await saw(Type.WRITE, 'both')
  assert.equal((await event.value).name, 'both')
})

test('watches no file and nothing that does not exist', async () => {
  const { files } = await shared()
  await assert.rejects(files.watchDir('/no/such/directory', () => {}), FileNotFoundError)
  await files.write('/tmp/a-file', 'x')
  await assert.rejects(files.watchDir('/tmp/a-file', () => {}), InvalidArgumentError)
})
