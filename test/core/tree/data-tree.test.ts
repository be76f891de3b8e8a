import assert from 'node:assert/strict'
import { DataTree, isReservedPath } from '../../../lib/core/tree/data-tree.ts'
import type { ZnodeFields } from '../../../lib/core/tree/packed-node.ts'
import { noSession, type SessionId } from '../../../lib/core/tree/session-id.ts'
import { Znode } from '../../../lib/core/tree/znode.ts'
import { InvariantError } from '../../../lib/errors.ts'
import { alice, bob, bytes, Fixture, stampOf } from './fixture.ts'

function newNode(counter: number, ephemeralOwner: SessionId = noSession): Znode {
  const { zxid, timeMs, clockMs } = stampOf(counter)
  const fields: ZnodeFields = {
    data: undefined,
    mode: ephemeralOwner === noSession ? 'persistent' : 'ephemeral',
    ttlMs: 0,
    czxid: zxid,
    mzxid: zxid,
    pzxid: zxid,
    ctime: timeMs,
    mtime: timeMs,
    version: 0,
    creates: 0,
    aversion: 0,
    ephemeralOwner,
    touchedClockMs: clockMs,
  }
  return new Znode(fields, undefined)
}

/** A tree with the given nodes, attached in this order with zxid 1, 2, and so on. */
function treeOf(...paths: string[]): DataTree {
  const tree = new DataTree()
  for (const [index, path] of paths.entries()) tree.attach(tree.findNearest(path).node, path, newNode(index + 1))
  return tree
}

describe('DataTree', () => {
  describe('at birth', () => {
    it('has the reserved nodes', () => {
      const tree = new DataTree()
      assert.deepEqual(
        [...tree.walk('/')].map(({ path }) => path),
        ['/', '/zookeeper', '/zookeeper/config', '/zookeeper/quota'],
      )
      assert.equal(tree.nodeCount, 4)
      for (const { path } of tree.walk('/')) assert.ok(isReservedPath(path), path)
      assert.ok(!isReservedPath('/zookeeper/foo'))
    })

    it('shows the stats that ZooKeeper shows', () => {
      const tree = new DataTree()
      assert.equal(tree.stat('/')?.cversion, -1)
      assert.equal(tree.stat('/zookeeper')?.cversion, -2)
      assert.equal(tree.stat('/zookeeper/config')?.version, 0)
      assert.equal(tree.getData('/')?.data?.length, 0)
    })
  })

  describe('find', () => {
    it('finds nodes', () => {
      const tree = treeOf('/a', '/a/b')
      assert.equal(tree.find('/a/b')?.czxid, 2n)
      assert.equal(tree.find('/')?.numChildren, 2)
      assert.equal(tree.find('/a/c'), undefined)
    })

    it('finds nothing at a path that is not valid', () => {
      const tree = treeOf('/a', '/a/b')
      for (const path of ['', 'a', 'xa', '/a/', '//', '//a', '/a//b', '/a/b/']) {
        assert.equal(tree.find(path), undefined, path)
      }
    })

    it('finds the lowest node on the way', () => {
      const tree = treeOf('/a', '/a/b')
      assert.equal(tree.findNearest('/a/b/c/d').path, '/a/b')
      assert.equal(tree.findNearest('/a/b').path, '/a/b')
      assert.equal(tree.findNearest('/x/b').path, '/')
      assert.equal(tree.findNearest('/').path, '/')
    })
  })

  describe('reads', () => {
    it('keep no data apart from empty data', () => {
      const tree = treeOf('/a', '/b')
      const node = tree.find('/b')
      assert.ok(node)
      tree.setData({ path: '/a', node }, new Uint8Array(0), stampOf(3))
      assert.equal(tree.getData('/a')?.data, undefined)
      assert.deepEqual(tree.getData('/b')?.data, new Uint8Array(0))
    })

    it('list children sorted by code unit', () => {
      const tree = treeOf('/a', '/a/é', '/a/b', '/a/B', '/a/10', '/a/9')
      assert.deepEqual(tree.getChildren('/a')?.children, ['10', '9', 'B', 'b', 'é'])
      assert.deepEqual(tree.getChildren('/a/b')?.children, [])
    })

    it('answer nothing for a missing node', () => {
      const tree = new DataTree()
      assert.equal(tree.stat('/a'), undefined)
      assert.equal(tree.getData('/a'), undefined)
      assert.equal(tree.getChildren('/a'), undefined)
      assert.equal(tree.getAllChildrenNumber('/a'), undefined)
    })

    it('count all descendants as the number of all children', () => {
      const tree = treeOf('/a', '/a/b', '/a/b/c', '/a/d')
      assert.equal(tree.getAllChildrenNumber('/a'), 3)
      assert.equal(tree.getAllChildrenNumber('/a/d'), 0)
      assert.equal(tree.getAllChildrenNumber('/'), 4 + 3)
    })

    it('walk a tree that is deeper than the call stack', () => {
      const depth = 30_000
      const tree = new DataTree()
      let path = ''
      let parent = tree.find('/')
      for (let level = 1; level <= depth && parent !== undefined; level += 1) {
        path += '/a'
        const node = newNode(level)
        tree.attach(parent, path, node)
        parent = node
      }
      assert.equal([...tree.walk('/a')].length, depth)
      assert.equal(tree.getAllChildrenNumber('/a'), depth - 1)
    })
  })

  describe('ephemeral nodes', () => {
    const fixture = new Fixture()
    for (const path of ['/ep', '/other']) fixture.create(path)
    for (const path of ['/eph', '/other/1', '/ep/2', '/epp', '/ep/1']) fixture.create(path, 'ephemeral')
    fixture.create('/ep/bob', 'ephemeral', bob)
    const { tree } = fixture.state

    it('are listed by a prefix of the string, sorted', () => {
      assert.deepEqual(tree.getEphemerals(alice, '/ep/'), ['/ep/1', '/ep/2'])
      assert.deepEqual(tree.getEphemerals(alice, '/ep/1'), ['/ep/1'])
      assert.deepEqual(tree.getEphemerals(bob), ['/ep/bob'])
    })

    it('G33: getEphemerals(/ep) lists /ep/1, /epp and /eph, too', () => {
      assert.deepEqual(tree.getEphemerals(alice, '/ep'), ['/ep/1', '/ep/2', '/eph', '/epp'])
    })

    it('are all listed without a prefix, with a blank one, and with /', () => {
      const all = ['/ep/1', '/ep/2', '/eph', '/epp', '/other/1']
      for (const prefix of [undefined, '', '  ', '/']) assert.deepEqual(tree.getEphemerals(alice, prefix), all)
    })

    it('end in the order of their creation', () => {
      const paths = tree.ephemeralsInOrder(alice).map(({ path }) => path)
      assert.deepEqual(paths, ['/eph', '/other/1', '/ep/2', '/epp', '/ep/1'])
    })
  })

  describe('setData', () => {
    it('changes what ZooKeeper changes', () => {
      const tree = treeOf('/a')
      const node = tree.find('/a')
      assert.ok(node)
      const before = node.stat()
      tree.setData({ path: '/a', node }, bytes('abc'), stampOf(9))
      const { zxid: mzxid, timeMs: mtime } = stampOf(9)
      assert.deepEqual(node.stat(), { ...before, version: 1, mzxid, mtime, dataLength: 3 })
      assert.equal(node.touchedClockMs, 9)
    })

    it('lets versions wrap around and step over -1', () => {
      const tree = treeOf('/a')
      const node = tree.find('/a')
      assert.ok(node)
      node.unpack().version = 2 ** 31 - 1
      tree.setData({ path: '/a', node }, undefined, stampOf(2))
      assert.equal(node.version, -(2 ** 31))
      node.unpack().version = -2
      tree.setData({ path: '/a', node }, undefined, stampOf(3))
      assert.equal(node.version, 0)
    })
  })

  describe('atomically', () => {
    it('keeps the changes of a success', () => {
      const tree = treeOf('/a')
      assert.equal(
        tree.atomically(() => {
          tree.detach({ path: '/a', node: tree.find('/a') as Znode }, stampOf(2).zxid)
          return true
        }),
        true,
      )
      assert.equal(tree.find('/a'), undefined)
    })

    it('takes back every change of a failure, last one first', () => {
      const tree = treeOf('/a', '/a/b')
      tree.attach(tree.find('/a') as Znode, '/a/mine', newNode(3, alice))
      const before = [...tree.walk('/')].map(({ path, node }) => node.record(path))
      const succeeded = tree.atomically(() => {
        const parent = tree.find('/a') as Znode
        tree.attach(parent, '/a/c', newNode(4, alice))
        tree.setData({ path: '/a/b', node: tree.find('/a/b') as Znode }, bytes('x'), stampOf(4))
        tree.setData({ path: '/a/b', node: tree.find('/a/b') as Znode }, bytes('y'), stampOf(4))
        for (const path of ['/a/c', '/a/mine', '/a/b', '/a']) {
          tree.detach({ path, node: tree.find(path) as Znode }, stampOf(4).zxid)
        }
        return false
      })
      assert.equal(succeeded, false)
      assert.deepEqual(
        [...tree.walk('/')].map(({ path, node }) => node.record(path)),
        before,
      )
      assert.equal(tree.nodeCount, 7)
      assert.deepEqual(tree.getEphemerals(alice), ['/a/mine'])
    })
  })

  it('refuses to detach what has children or is reserved', () => {
    const tree = treeOf('/a', '/a/b')
    for (const path of ['/a', '/zookeeper/quota']) {
      const node = tree.find(path) as Znode
      assert.throws(() => tree.detach({ path, node }, stampOf(3).zxid), InvariantError)
    }
  })
})
