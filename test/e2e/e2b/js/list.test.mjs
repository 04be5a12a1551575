import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { Sandbox } from 'e2b'
import { test } from './harness.mjs'

// listed are the ids of a whole list.
async function listed(opts) {
  const ids = []
  for (const pages = Sandbox.list(opts); pages.hasNext; ) ids.push(...(await pages.nextItems()).map((s) => s.sandboxId))
  return ids
}

// several sandboxes, made one after the other, that share a mark.
async function several(t, count) {
  const run = randomUUID()
  const ids = []
  for (let i = 0; i < count; i++) ids.push((await t.sandbox({ metadata: { run, number: `${i}` } })).sandboxId)
  return { run, ids }
}

test('lists what runs', async (t) => {
  const sandbox = await t.sandbox({ metadata: { a: 'b' } })
  const [item] = (await Sandbox.list().nextItems()).filter((s) => s.sandboxId === sandbox.sandboxId)
  const info = await sandbox.getInfo()
  for (const field of ['templateId', 'state', 'metadata', 'startedAt', 'cpuCount', 'memoryMB', 'envdVersion']) {
    assert.deepEqual(item[field], info[field], field)
  }
})

test('does not list what has been killed', async (t) => {
  const sandbox = await t.sandbox()
  await sandbox.kill()
  assert.ok(!(await listed()).includes(sandbox.sandboxId))
})

test('filters by metadata', async (t) => {
  const { run, ids } = await several(t, 2)
  assert.deepEqual((await listed({ query: { metadata: { run } } })).sort(), [...ids].sort())
  assert.deepEqual(await listed({ query: { metadata: { run, number: '1' } } }), [ids[1]])
  assert.deepEqual(await listed({ query: { metadata: { run, number: '7' } } }), [])
})

test('filters by metadata with any characters', async (t) => {
  for (const [key, value] of [['a b&c=d', 'e f&g=h'], ['%25+', '100% + more'], ['ключ', 'значение'], ['"quoted"', "it's\\"]]) {
    const sandbox = await t.sandbox({ metadata: { [key]: value, other: 'x' } })
    assert.deepEqual(await listed({ query: { metadata: { [key]: value } } }), [sandbox.sandboxId], key)
  }
})

test('filters by state', async (t) => {
  const { run, ids } = await several(t, 2)
  await Sandbox.pause(ids[0])
  const query = { metadata: { run } }
  assert.deepEqual(await listed({ query: { ...query, state: ['paused'] } }), [ids[0]])
  assert.deepEqual(await listed({ query: { ...query, state: ['running'] } }), [ids[1]])
  assert.equal((await listed({ query: { ...query, state: ['running', 'paused'] } })).length, 2)
  assert.equal((await listed({ query })).length, 2)
})

test('filters by template', async (t) => {
  const sandbox = await t.sandbox()
  assert.ok((await listed({ query: { template: 'base' } })).includes(sandbox.sandboxId))
  assert.deepEqual(await listed({ query: { template: 'another' } }), [])
})

test('filters by the time of the start', async (t) => {
  const { run, ids } = await several(t, 2)
  const { startedAt } = await Sandbox.getInfo(ids[1])
  const query = { metadata: { run } }
  assert.deepEqual(await listed({ query: { ...query, startedAfter: new Date(+startedAt - 1) } }), [ids[1]])
  assert.equal((await listed({ query: { ...query, startedAfter: new Date(0) } })).length, 2)
  assert.deepEqual(await listed({ query: { ...query, startedAfter: new Date(Date.now() + 60_000) } }), [])
})

test('lists the newest first, or the oldest', async (t) => {
  const { run, ids } = await several(t, 3)
  const query = { metadata: { run } }
  assert.deepEqual(await listed({ query }), [...ids].reverse())
  assert.deepEqual(await listed({ query, order: 'desc' }), [...ids].reverse())
  assert.deepEqual(await listed({ query, order: 'asc' }), ids)
})

test('lists in pages', async (t) => {
  const { run, ids } = await several(t, 5)
  const pages = Sandbox.list({ query: { metadata: { run } }, limit: 2 })
  const sizes = []
  const found = []
  while (pages.hasNext) {
    const page = await pages.nextItems()
    sizes.push(page.length)
    found.push(...page.map((s) => s.sandboxId))
  }
  assert.deepEqual(sizes, [2, 2, 1])
  assert.deepEqual(found, [...ids].reverse())
})

test('goes on from a page whose last sandbox is gone', async (t) => {
  const { run, ids } = await several(t, 4)
  const pages = Sandbox.list({ query: { metadata: { run } }, limit: 2 })
  const page = await pages.nextItems()
  await Sandbox.kill(page[1].sandboxId)
  assert.deepEqual((await pages.nextItems()).map((s) => s.sandboxId), [ids[1], ids[0]])
})

test('goes on in a list of another client', async (t) => {
  const { run, ids } = await several(t, 3)
  const query = { metadata: { run } }
  const pages = Sandbox.list({ query, limit: 2 })
  await pages.nextItems()
  assert.deepEqual(await listed({ query, limit: 2, nextToken: pages.nextToken }), [ids[0]])
})

test('refuses a page that it has not named', async () => {
  await assert.rejects(listed({ nextToken: 'nonsense' }), /400/)
})
