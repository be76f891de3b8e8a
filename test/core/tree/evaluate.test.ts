import assert from 'node:assert/strict'
import { ephemeralsPerSessionMax } from '../../../lib/core/tree/evaluate.ts'
import type { CreateOperation, ErrorResult, MultiOperation, SubResult } from '../../../lib/core/tree/operation.ts'
import type { SessionId } from '../../../lib/core/tree/session-id.ts'
import type { ErrorCode } from '../../../lib/errors.ts'
import { alice, bob, bytes, check, create, Fixture, remove, setData, stampOf } from './fixture.ts'

const failure = (code: ErrorCode, path?: string): ErrorResult =>
  path === undefined ? { type: 'error', code } : { type: 'error', code, path }

const stats = (results: readonly SubResult[]) => results.map((result) => ('stat' in result ? result.stat : undefined))

describe('evaluate', () => {
  describe('stat', () => {
    const fixture = new Fixture()
    const parent = fixture.create('/p').stat
    fixture.create('/p/c1')
    const second = fixture.create('/p/c2').stat

    it('G1: counts creations of children', () => {
      const { version, cversion, aversion, numChildren, pzxid, mzxid } = fixture.stat('/p')
      assert.deepEqual([version, cversion, aversion, numChildren], [0, 2, 0, 2])
      assert.deepEqual([pzxid, mzxid], [second.czxid, parent.czxid])
    })

    it('G2: counts deletions of children', () => {
      fixture.delete('/p/c1')
      const { cversion, numChildren, pzxid } = fixture.stat('/p')
      assert.deepEqual([cversion, numChildren, pzxid], [3, 1, fixture.state.lastZxid])
    })

    it('G3: setData changes version and mzxid, and nothing of the children', () => {
      const before = fixture.stat('/p')
      const { stat } = fixture.setData('/p', 'x')
      const { lastZxid } = fixture.state
      assert.deepEqual(stat, {
        ...before,
        version: 1,
        mzxid: lastZxid,
        mtime: 1000 + Number(lastZxid),
        dataLength: 1,
      })
    })

    it('G5: numbers by the creations below the parent', () => {
      const names = [fixture.create('/p/s-', 'persistent-sequential').path]
      names.push(fixture.create('/p/', 'persistent-sequential').path)
      fixture.delete('/p/c2')
      names.push(fixture.create('/p/s-', 'ephemeral-sequential').path)
      assert.deepEqual(names, ['/p/s-0000000002', '/p/0000000003', '/p/s-0000000004'])
    })

    it('G6: numbers on inside a multi', () => {
      const sequential = create('/p/m-', { mode: 'persistent-sequential' })
      const { results } = fixture.multi(sequential, sequential)
      const paths = results.map((result) => 'path' in result && result.path)
      assert.deepEqual(paths, ['/p/m-0000000005', '/p/m-0000000006'])
    })
  })

  describe('create', () => {
    it('returns the path and the whole stat', () => {
      const fixture = new Fixture({ sessions: [alice] })
      const result = fixture.do(create('/a', { mode: 'ephemeral', data: bytes('abc') }))
      const { zxid, timeMs } = stampOf(2)
      const versions = { version: 0, cversion: 0, aversion: 0 }
      const times = { czxid: zxid, mzxid: zxid, pzxid: zxid, ctime: timeMs, mtime: timeMs }
      const stat = { ...times, ...versions, ephemeralOwner: alice, dataLength: 3, numChildren: 0 }
      assert.deepEqual(result, { type: 'create', path: '/a', stat })
    })

    it('numbers below the root, too, where the reserved node does not count', () => {
      assert.equal(new Fixture().create('/', 'persistent-sequential').path, '/0000000000')
    })

    it('ST-4, differs: numbers past ten digits', () => {
      const fixture = new Fixture()
      fixture.create('/p')
      for (const [creates, suffix] of [
        [2 ** 31, '2147483648'],
        [10 ** 10, '10000000000'],
      ] as const) {
        const node = fixture.state.tree.find('/p')
        assert.ok(node)
        node.unpack().creates = creates
        assert.equal(fixture.create('/p/s', 'persistent-sequential').path, `/p/s${suffix}`)
      }
    })

    it('G17: refuses a child of an ephemeral node', () => {
      const fixture = new Fixture()
      fixture.create('/e', 'ephemeral')
      const code = 'COORD_NO_CHILDREN_FOR_EPHEMERALS'
      assert.deepEqual(fixture.fails(create('/e/c')), failure(code, '/e/c'))
      assert.deepEqual(fixture.fails(create('/e/b/c', { parents: true })), failure(code, '/e/b/c'))
      assert.equal(fixture.fails(create('/e/', { mode: 'ephemeral-sequential' })).code, code)
    })

    const fixture = new Fixture()
    fixture.create('/a')
    const failures: [CreateOperation, ErrorCode][] = [
      [create('a'), 'COORD_BAD_ARGUMENTS'],
      [create(''), 'COORD_BAD_ARGUMENTS'],
      [create('/missing/\0'), 'COORD_BAD_ARGUMENTS'],
      [create('/missing/..'), 'COORD_NO_NODE'],
      [create('/missing/b'), 'COORD_NO_NODE'],
      [create('/a//b'), 'COORD_NO_NODE'],
      [create('/a/../b', { parents: true }), 'COORD_BAD_ARGUMENTS'],
      [create('/a//b', { parents: true }), 'COORD_BAD_ARGUMENTS'],
      [create('/a/..'), 'COORD_BAD_ARGUMENTS'],
      [create('/a/'), 'COORD_BAD_ARGUMENTS'],
      [create('//a'), 'COORD_BAD_ARGUMENTS'],
      [create('/a'), 'COORD_NODE_EXISTS'],
      [create('/a', { parents: true }), 'COORD_NODE_EXISTS'],
      [create('/'), 'COORD_NODE_EXISTS'],
      [create('/zookeeper/quota'), 'COORD_NODE_EXISTS'],
      [create('/missing/b', { mode: 'persistent-ttl' }), 'COORD_BAD_ARGUMENTS'],
      [create('/b', { mode: 'persistent-ttl', ttlMs: 0 }), 'COORD_BAD_ARGUMENTS'],
      [create('/b', { mode: 'persistent-sequential-ttl', ttlMs: 2 ** 40 }), 'COORD_BAD_ARGUMENTS'],
      [create('/b', { ttlMs: 5 }), 'COORD_BAD_ARGUMENTS'],
      [create('/missing/b', { acl: [] }), 'COORD_INVALID_ACL'],
    ]
    for (const [operation, code] of failures) {
      const { mode, parents = false } = operation
      it(`answers ${code} to ${JSON.stringify(operation.path)} (${mode}, parents: ${parents})`, () => {
        const before = [...fixture.state.tree.walk('/')].length
        assert.deepEqual(fixture.fails(operation), failure(code, operation.path))
        assert.equal([...fixture.state.tree.walk('/')].length, before)
      })
    }

    it('gives a session so many ephemeral nodes, and others theirs', () => {
      const fixture = new Fixture()
      const mode = 'ephemeral'
      const { tree } = fixture.state
      fixture.create('/e', mode)
      assert.deepEqual([tree.ephemeralCount(alice), tree.ephemeralCount(bob)], [1, 0])
      // As if there were so many: a hundred thousand take their time.
      const count = (session: SessionId): number => (session === alice ? ephemeralsPerSessionMax : 0)
      Object.defineProperty(tree, 'ephemeralCount', { value: count })
      assert.equal(fixture.fails(create('/more', { mode })).code, 'COORD_QUOTA_EXCEEDED')
      assert.equal(fixture.fails(create('/s-', { mode: 'ephemeral-sequential' })).code, 'COORD_QUOTA_EXCEEDED')
      fixture.create('/of-bob', mode, bob)
      fixture.create('/persistent')
    })

    it('allows other nodes below /zookeeper', () => {
      assert.equal(new Fixture().create('/zookeeper/foo').path, '/zookeeper/foo')
    })
  })

  describe('create with parents', () => {
    it('creates what is missing in one zxid, upper nodes first', () => {
      const fixture = new Fixture()
      fixture.create('/a')
      const { result, changes } = fixture.write(create('/a/b/c/d', { parents: true, mode: 'ephemeral' }))
      assert.equal(result.type, 'create')
      assert.deepEqual(
        changes.map(({ type, path }) => [type, path]),
        ['/a/b', '/a/b/c', '/a/b/c/d'].map((path) => ['created', path]),
      )
      for (const { path } of changes) assert.equal(fixture.stat(path).czxid, fixture.state.lastZxid)
      assert.equal(fixture.stat('/a/b/c').ephemeralOwner, 0n)
      assert.equal(fixture.stat('/a/b/c/d').ephemeralOwner, alice)
      assert.deepEqual(fixture.state.tree.getData('/a/b')?.data, undefined)
      assert.deepEqual([fixture.stat('/a').cversion, fixture.stat('/a/b').cversion], [1, 1])
    })

    it('creates from the root on', () => {
      const fixture = new Fixture()
      fixture.do(create('/x/y', { parents: true }))
      assert.deepEqual(fixture.state.tree.getChildren('/x')?.children, ['y'])
    })

    it('numbers from 0 below a new parent', () => {
      const fixture = new Fixture()
      const result = fixture.do(create('/q/n-', { parents: true, mode: 'persistent-sequential' }))
      assert.equal(result.type === 'create' && result.path, '/q/n-0000000000')
    })

    it('is a create like any other when nothing is missing', () => {
      const fixture = new Fixture()
      const { changes } = fixture.write(create('/a', { parents: true }))
      assert.deepEqual(
        changes.map(({ type, path }) => [type, path]),
        [['created', '/a']],
      )
    })
  })

  describe('delete', () => {
    it('G16: refuses the reserved nodes', () => {
      const fixture = new Fixture()
      for (const path of ['/', '/zookeeper', '/zookeeper/quota', '/zookeeper/config']) {
        for (const recursive of [false, true]) {
          const operation = { type: 'delete', path, version: -1, recursive } as const
          assert.deepEqual(fixture.fails(operation), failure('COORD_BAD_ARGUMENTS', path))
        }
      }
      assert.deepEqual(fixture.fails(create('/')), failure('COORD_NODE_EXISTS', '/'))
      assert.equal(fixture.setData('/', 'allowed').stat.version, 1)
    })

    it('G18: looks at the version before the children', () => {
      const fixture = new Fixture()
      fixture.multi(create('/a'), create('/a/b'))
      assert.deepEqual(fixture.fails(remove('/a', 77)), failure('COORD_BAD_VERSION', '/a'))
      assert.deepEqual(fixture.fails(remove('/a')), failure('COORD_NOT_EMPTY', '/a'))
    })

    it('answers to a missing node and to a path that is none', () => {
      const fixture = new Fixture()
      for (const path of ['/x', '/x/y', '/a//b', '/..']) {
        assert.deepEqual(fixture.fails(remove(path)), failure('COORD_NO_NODE', path))
      }
      for (const path of ['', 'x', '/\0']) {
        assert.deepEqual(fixture.fails(remove(path)), failure('COORD_BAD_ARGUMENTS', path))
      }
    })

    it('deletes descendants when recursive, children first, also those of other sessions', () => {
      const fixture = new Fixture()
      fixture.multi(create('/a'), create('/a/b'), create('/a/b/c'), create('/a/d'))
      fixture.create('/a/b/mine', 'ephemeral', bob)
      const { result, changes } = fixture.write({ type: 'delete', path: '/a', version: 0, recursive: true })
      assert.deepEqual(result, { type: 'delete' })
      const paths = changes.map(({ path }) => path)
      assert.deepEqual(paths, ['/a/d', '/a/b/mine', '/a/b/c', '/a/b', '/a'])
      assert.equal(fixture.state.tree.nodeCount, 4)
      assert.deepEqual(fixture.state.tree.getEphemerals(bob), [])
    })

    it('compares the version of the top node alone when recursive', () => {
      const fixture = new Fixture()
      fixture.multi(create('/a'), create('/a/b'), setData('/a/b', 'x'))
      const operation = { type: 'delete', path: '/a', version: 1, recursive: true } as const
      assert.deepEqual(fixture.fails(operation), failure('COORD_BAD_VERSION', '/a'))
      assert.equal(fixture.do({ ...operation, version: 0 }).type, 'delete')
    })
  })

  describe('setData and check', () => {
    it('find nothing at a path that is none, also beside a node that is there', () => {
      const fixture = new Fixture()
      fixture.multi(create('/a'), create('/a/b'))
      for (const path of ['', 'a', '//a', '/a/', '/a//b', '/./a', '/a/../a', '/a/b\0']) {
        assert.deepEqual(fixture.fails(setData(path, 'x')), failure('COORD_BAD_ARGUMENTS', path))
        assert.deepEqual(fixture.fails(check(path, 0)), failure('COORD_BAD_ARGUMENTS', path))
      }
    })

    const fixture = new Fixture()
    fixture.create('/a')
    fixture.setData('/a', 'x')

    for (const operation of [setData, check]) {
      it(`${operation.name} checks the path, the node and the version in this order`, () => {
        const of = (path: string, version: number) =>
          operation === setData ? setData(path, 'y', version) : check(path, version)
        assert.deepEqual(fixture.fails(of('/missing/', 0)), failure('COORD_BAD_ARGUMENTS', '/missing/'))
        assert.deepEqual(fixture.fails(of('/missing', 0)), failure('COORD_NO_NODE', '/missing'))
        assert.deepEqual(fixture.fails(of('/a', 0)), failure('COORD_BAD_VERSION', '/a'))
      })
    }

    it('check changes nothing', () => {
      const before = fixture.stat('/a')
      const { result, changes } = fixture.write(check('/a', 1))
      assert.deepEqual([result, changes], [{ type: 'check' }, []])
      assert.deepEqual(fixture.stat('/a'), before)
    })
  })

  describe('multi', () => {
    it('G13: fails as a whole and lists a result for every operation', () => {
      const fixture = new Fixture()
      const { result, changes } = fixture.write({
        type: 'multi',
        operations: [create('/m1'), check('/nonexist', 0), create('/m2')],
      })
      const results = [
        { type: 'rolledBack' },
        failure('COORD_NO_NODE', '/nonexist'),
        failure('COORD_RUNTIME_INCONSISTENCY'),
      ]
      assert.deepEqual(result, { type: 'error', code: 'COORD_NO_NODE', index: 1, results })
      assert.deepEqual(changes, [])
      assert.equal(fixture.state.tree.stat('/m1'), undefined)
    })

    it('G14: lets each operation see those before it', () => {
      const fixture = new Fixture()
      const first = fixture.multi(create('/mm'), create('/mm/k'), check('/mm/k', 0))
      assert.deepEqual(first.results[2], { type: 'check' })
      const second = stats(fixture.multi(setData('/mm', 'a', 0), setData('/mm', 'b', 1)).results)
      assert.deepEqual([second[0]?.version, second[1]?.version], [1, 2])
      assert.equal(second[0]?.mzxid, second[1]?.mzxid)
      fixture.multi(setData('/mm', 'c', 2), check('/mm', 3))
    })

    it('lists the changes of its operations in their order', () => {
      const fixture = new Fixture()
      const operations = [create('/a'), setData('/a', 'x'), remove('/a')]
      const { changes } = fixture.write({ type: 'multi', operations })
      assert.deepEqual(
        changes.map(({ type, path }) => [type, path]),
        ['created', 'changed', 'deleted'].map((type) => [type, '/a']),
      )
    })

    it('leaves nothing behind when it fails: no counter, owner, change or node', () => {
      const fixture = new Fixture()
      fixture.multi(create('/a'), create('/a/b'), create('/a/c'))
      fixture.create('/a/e', 'ephemeral')
      const { tree } = fixture.state
      const before = [...tree.walk('/')].map(({ path, node }) => node.record(path))
      fixture.fails({
        type: 'multi',
        operations: [
          create('/a/s-', { mode: 'ephemeral-sequential' }),
          create('/x/y/z', { parents: true }),
          setData('/a', 'new'),
          { type: 'delete', path: '/a', version: -1, recursive: true },
          create('/a', { mode: 'ephemeral' }),
          check('/a', 1),
        ],
      })
      assert.deepEqual(
        [...tree.walk('/')].map(({ path, node }) => node.record(path)),
        before,
      )
      assert.deepEqual(tree.getEphemerals(alice), ['/a/e'])
      assert.equal(fixture.create('/a/s-', 'persistent-sequential').path, '/a/s-0000000003')
    })

    it('without operations succeeds', () => {
      assert.deepEqual(new Fixture().multi().results, [])
    })

    describe('ifHeld', () => {
      const guarded = (fixture: Fixture, path: string, czxid = fixture.stat(path).czxid): MultiOperation => ({
        type: 'multi',
        operations: [create('/done')],
        ifHeld: { path, czxid },
      })

      it('lets it through while the node stands in that incarnation', () => {
        const fixture = new Fixture()
        fixture.create('/lock', 'ephemeral')
        fixture.setData('/lock', 'changed')
        assert.equal(fixture.do(guarded(fixture, '/lock')).type, 'multi')
      })

      it('is COORD_LOCK_LOST once the node is gone, and when it was created anew', () => {
        const fixture = new Fixture()
        const { czxid } = fixture.create('/lock', 'ephemeral').stat
        fixture.delete('/lock')
        assert.deepEqual(fixture.fails(guarded(fixture, '/lock', czxid)), failure('COORD_LOCK_LOST', '/lock'))
        fixture.create('/lock', 'ephemeral')
        assert.deepEqual(fixture.fails(guarded(fixture, '/lock', czxid)), failure('COORD_LOCK_LOST', '/lock'))
        assert.equal(fixture.state.tree.stat('/done'), undefined)
      })
    })
  })
})
