import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { AuthenticationError, FileNotFoundError, FileType, InvalidArgumentError, SandboxError } from 'e2b'
import { fresh, shared, test } from './harness.mjs'

const files = async () => (await shared()).files
const run = async (command) => (await (await shared()).commands.run(command)).stdout

// streamOf gives data in pieces.
const streamOf = (data, piece = 64 << 10) =>
  new ReadableStream({
    start(c) {
      for (let at = 0; at < data.length; at += piece) c.enqueue(data.subarray(at, at + piece))
      c.close()
    },
  })

async function whole(stream) {
  const parts = []
  for await (const part of stream) parts.push(part)
  return Buffer.concat(parts)
}

test('writes and reads a text', async () => {
  const path = fresh('text')
  const { name, type, path: where, metadata } = await (await files()).write(path, 'hällo 🎉\n')
  assert.deepEqual([name, type, where, metadata], [path.split('/').pop(), FileType.FILE, path, undefined])
  assert.equal(await (await files()).read(path), 'hällo 🎉\n')
})

test('writes what a command then reads, and the other way', async () => {
  const path = fresh('both')
  await (await files()).write(path, 'from outside')
  assert.equal(await run(`cat ${path}`), 'from outside')
  await run(`printf inside >${path}`)
  assert.equal(await (await files()).read(path), 'inside')
})

test('writes files of the user', async () => {
  const path = fresh('owned')
  await (await files()).write(path, 'x')
  assert.equal(await run(`stat -c '%U:%G %a' ${path}`), 'user:user 644\n')
})

test('writes bytes and reads bytes', async () => {
  const path = fresh('bytes')
  const data = randomBytes(100_000)
  await (await files()).write(path, data.buffer.slice(data.byteOffset, data.byteOffset + data.length))
  const back = await (await files()).read(path, { format: 'bytes' })
  assert.ok(back instanceof Uint8Array)
  assert.equal(Buffer.compare(back, data), 0)
})

test('writes a blob and reads a blob', async () => {
  const path = fresh('blob')
  await (await files()).write(path, new Blob(['one ', 'two']))
  const back = await (await files()).read(path, { format: 'blob' })
  assert.ok(back instanceof Blob)
  assert.equal(await back.text(), 'one two')
})

test('writes a stream and reads a stream', async () => {
  const path = fresh('stream')
  const data = randomBytes(3 << 20)
  await (await files()).write(path, streamOf(data))
  assert.equal(Buffer.compare(await whole(await (await files()).read(path, { format: 'stream' })), data), 0)
})

test('writes a stream as one body', async () => {
  const path = fresh('octets')
  const data = randomBytes(1 << 20)
  await (await files()).write(path, streamOf(data), { useOctetStream: true })
  assert.equal(Buffer.compare(await (await files()).read(path, { format: 'bytes' }), data), 0)
})

test('writes and reads compressed', async () => {
  const path = fresh('gzip')
  const text = 'again and again '.repeat(10_000)
  await (await files()).write(path, text, { gzip: true })
  assert.equal(await run(`wc -c <${path}`), `${text.length}\n`)
  assert.equal(await (await files()).read(path, { gzip: true }), text)
})

test('writes and reads an empty file', async () => {
  const path = fresh('empty')
  await (await files()).write(path, '')
  assert.equal(await (await files()).read(path), '')
  assert.equal((await (await files()).read(path, { format: 'bytes' })).length, 0)
  assert.equal((await (await files()).getInfo(path)).size, 0)
})

test('writes over a longer file', async () => {
  const path = fresh('shorter')
  await (await files()).write(path, 'a long text')
  await (await files()).write(path, 'short')
  assert.equal(await (await files()).read(path), 'short')
})

test('writes several files at once', async () => {
  const [a, b, c] = [fresh('a'), fresh('b/deep'), fresh('c')]
  const written = await (await files()).write([
    { path: a, data: 'one' },
    { path: b, data: new Blob(['two']) },
    { path: c, data: streamOf(Buffer.from('three')) },
  ])
  assert.deepEqual(written.map((w) => w.path).sort(), [a, b, c].sort())
  assert.deepEqual(await Promise.all([a, b, c].map(async (p) => (await files()).read(p))), ['one', 'two', 'three'])
})

test('writes no files where there are none', async () => {
  assert.deepEqual(await (await files()).write([]), [])
})

test('makes the directories that a file needs', async () => {
  const path = fresh('x/y/z')
  await (await files()).write(path, 'deep')
  assert.equal(await run(`stat -c '%U %a' $(dirname ${path})`), 'user 755\n')
})

test('takes names with any characters', async () => {
  for (const name of ['with space', 'quo"te\'s', 'percent%20', 'ünï', '你好', 'a&b=c?d#e', 'new\nline', '-dash']) {
    const path = `${fresh('names')}/${name}`
    await (await files()).write(path, name)
    assert.equal(await (await files()).read(path), name)
    assert.deepEqual((await (await files()).list(path.slice(0, path.lastIndexOf('/')))).map((e) => e.name), [name])
  }
})

test('takes paths relative to the home directory', async () => {
  await (await files()).write('relative.txt', 'here')
  assert.equal(await (await files()).read('/home/user/relative.txt'), 'here')
  assert.equal(await (await files()).read('~/relative.txt'), 'here')
})

test('reports a file that does not exist', async () => {
  await assert.rejects((await files()).read('/no/such/file'), FileNotFoundError)
  await assert.rejects((await files()).getInfo('/no/such/file'), FileNotFoundError)
  await assert.rejects((await files()).list('/no/such/directory'), FileNotFoundError)
})

test('does not read a directory', async () => {
  await assert.rejects((await files()).read('/tmp'), InvalidArgumentError)
})

test('does not write over a directory', async () => {
  await assert.rejects((await files()).write('/tmp', 'x'), InvalidArgumentError)
})

test('does not write as a user that does not exist', async () => {
  await assert.rejects((await files()).write('/tmp/x', 'x', { user: 'nobody-at-all' }), AuthenticationError)
})

test('lists a directory', async () => {
  const dir = fresh('dir')
  await run(`mkdir -p ${dir}/sub && echo hi >${dir}/file && ln -s file ${dir}/link && chmod 640 ${dir}/file`)
  const entries = await (await files()).list(dir)
  assert.deepEqual(entries.map((e) => [e.name, e.type]), [['file', FileType.FILE], ['link', FileType.FILE], ['sub', FileType.DIR]])
  const [file, link] = entries
  assert.equal(file.path, `${dir}/file`)
  assert.deepEqual([file.size, file.mode, file.permissions, file.owner, file.group], [3, 0o640, '-rw-r-----', 'user', 'user'])
  assert.ok(Math.abs(file.modifiedTime - Date.now()) < 60_000)
  assert.equal(link.symlinkTarget, `${dir}/file`)
})

test('lists an empty directory', async () => {
  const dir = fresh('none')
  await (await files()).makeDir(dir)
  assert.deepEqual(await (await files()).list(dir), [])
})

test('lists as deep as it is asked to', async () => {
  const dir = fresh('deep')
  await run(`mkdir -p ${dir}/a/b/c && touch ${dir}/a/x ${dir}/z`)
  const names = async (depth) => (await (await files()).list(dir, { depth })).map((e) => e.path.slice(dir.length + 1))
  assert.deepEqual(await names(1), ['a', 'z'])
  assert.deepEqual(await names(2), ['a', 'a/b', 'a/x', 'z'])
  assert.deepEqual(await names(9), ['a', 'a/b', 'a/b/c', 'a/x', 'z'])
})

test('lists no file', async () => {
  await (await files()).write('/tmp/file', 'x')
  await assert.rejects((await files()).list('/tmp/file'), InvalidArgumentError)
})

test('refuses to list to no depth', async () => {
  await assert.rejects((await files()).list('/tmp', { depth: 0 }), InvalidArgumentError)
})

test('tells whether there is a file', async () => {
  const path = fresh('there')
  assert.equal(await (await files()).exists(path), false)
  await (await files()).write(path, '')
  assert.equal(await (await files()).exists(path), true)
  assert.equal(await (await files()).exists('/home/user'), true)
})

test('describes a file and a directory', async () => {
  const path = fresh('info')
  await (await files()).write(path, '12345')
  const info = await (await files()).getInfo(path)
  assert.deepEqual([info.type, info.size, info.path, info.mode], [FileType.FILE, 5, path, 0o644])
  assert.equal((await (await files()).getInfo('/home/user')).type, FileType.DIR)
})

test('makes a directory, once', async () => {
  const dir = fresh('made/below')
  assert.equal(await (await files()).makeDir(dir), true)
  assert.equal(await (await files()).makeDir(dir), false)
  assert.equal(await run(`stat -c %U ${dir}`), 'user\n')
})

test('makes no directory in place of a file', async () => {
  const path = fresh('taken')
  await (await files()).write(path, '')
  await assert.rejects((await files()).makeDir(path), InvalidArgumentError)
})

test('renames a file', async () => {
  const [from, to] = [fresh('old'), fresh('new')]
  await (await files()).write(from, 'moved')
  assert.equal((await (await files()).rename(from, to)).path, to)
  assert.equal(await (await files()).exists(from), false)
  assert.equal(await (await files()).read(to), 'moved')
})

test('renames over a file, and into new directories', async () => {
  const [from, to, deep] = [fresh('from'), fresh('over'), fresh('way/down')]
  await (await files()).write([{ path: from, data: 'new' }, { path: to, data: 'old' }])
  await (await files()).rename(from, to)
  assert.equal(await (await files()).read(to), 'new')
  await (await files()).rename(to, deep)
  assert.equal(await (await files()).read(deep), 'new')
})

test('renames nothing that does not exist', async () => {
  await assert.rejects((await files()).rename('/no/such/file', '/tmp/x'), FileNotFoundError)
})

test('removes files and whole directories', async () => {
  const dir = fresh('gone')
  await (await files()).write(`${dir}/a/b`, 'x')
  await (await files()).remove(`${dir}/a/b`)
  assert.equal(await (await files()).exists(`${dir}/a/b`), false)
  await (await files()).remove(dir)
  assert.equal(await (await files()).exists(dir), false)
})

test('removes what is not there', async () => {
  await (await files()).remove('/tmp/nothing-at-all')
})

test('keeps metadata of files', async () => {
  const path = fresh('described')
  const written = await (await files()).write(path, 'x', { metadata: { origin: 'test', kind: 'a b' } })
  if (written.metadata) {
    // A file system without extended attributes keeps none, and says so by not telling any.
    assert.deepEqual((await (await files()).getInfo(path)).metadata, { origin: 'test', kind: 'a b' })
    await (await files()).write(path, 'y')
  }
  assert.equal((await (await files()).getInfo(path)).metadata, undefined)
})

test('reads and writes beside one another', async () => {
  const dir = fresh('many')
  await Promise.all(Array.from({ length: 50 }, async (_, i) => (await files()).write(`${dir}/${i}`, `${i}`)))
  const texts = await Promise.all(Array.from({ length: 50 }, async (_, i) => (await files()).read(`${dir}/${i}`)))
  assert.deepEqual(texts, Array.from({ length: 50 }, (_, i) => `${i}`))
})

test('keeps what only the root of the sandbox may write', async () => {
  await assert.rejects((await shared()).commands.run('echo x >/etc/passwd'), SandboxError)
})
