import assert from 'node:assert/strict'
import {
  assertPath,
  joinPath,
  nameOf,
  parentOf,
  segmentEnd,
  validatePath,
  validateSequentialPath,
} from '../../../lib/core/tree/path.ts'

const unit = (code: number) => `/a${String.fromCharCode(code)}b`

describe('path', () => {
  describe('validatePath', () => {
    const valid = ['/', '/a', '/a/b', '/a/.b', '/a/b.', '/a/...', '/..a', '/.a/..b/c', '/a b', '/ä\u00a0ß', '/日本']
    for (const path of valid) {
      it(`accepts ${JSON.stringify(path)}`, () => assert.equal(validatePath(path), undefined))
    }

    const invalid = ['', 'a', 'a/b', '/a/', '//', '//a', '/a//b', '/.', '/..', '/./a', '/../a', '/a/.', '/a/..']
    for (const path of [...invalid, '/a/./b', '/a/../b', '/a/\0', '/\ud83d\ude00']) {
      it(`refuses ${JSON.stringify(path)}`, () => assert.equal(typeof validatePath(path), 'string'))
    }

    it('refuses exactly the code units that ZooKeeper refuses', () => {
      const ranges = [
        [0x0000, 0x001f],
        [0x007f, 0x009f],
        [0xd800, 0xf8ff],
        [0xfff0, 0xffff],
      ] as const
      for (let code = 0; code <= 0xffff; code += 1) {
        const forbidden = ranges.some(([from, to]) => code >= from && code <= to)
        assert.equal(validatePath(unit(code)) !== undefined, forbidden, `U+${code.toString(16)}`)
      }
    })

    it('says what is wrong and where', () => {
      assert.equal(validatePath('/a//b'), 'the segment at index 3 is empty')
      assert.equal(validatePath('/a/../b'), 'the segment at index 3 is relative')
      assert.equal(validatePath('/a\0'), 'the character at index 2 is not allowed')
    })
  })

  it('judges a sequential path as if a digit followed', () => {
    for (const path of ['/', '/a/', '/a', '/a/.', '/a/..']) assert.equal(validateSequentialPath(path), undefined)
    for (const path of ['', 'a', '//', '/a//', '/../a']) assert.notEqual(validateSequentialPath(path), undefined)
  })

  describe('assertPath', () => {
    it('throws a TypeError that quotes the path and says why', () => {
      assert.throws(() => assertPath('/a/'), {
        name: 'TypeError',
        message: 'not a valid path: "/a/": it must not end with a slash',
      })
      assert.throws(() => assertPath(undefined), { message: 'a path must be a string, not undefined' })
      assert.throws(() => assertPath(null), { message: 'a path must be a string, not null' })
    })

    it('lets a sequential create end with a slash', () => {
      assertPath('/a')
      assertPath('/a/', true)
      assert.throws(() => assertPath('/a//', true), TypeError)
    })
  })

  it('cuts paths up and puts them together', () => {
    assert.deepEqual(['/', '/a', '/a/b', '/a/'].map(parentOf), ['/', '/', '/a', '/a'])
    assert.deepEqual(['/', '/a', '/a/b', '/a/'].map(nameOf), ['', 'a', 'b', ''])
    assert.equal(joinPath('/', 'a'), '/a')
    assert.equal(joinPath('/a', 'b'), '/a/b')
    assert.deepEqual([segmentEnd('/ab/c', 1), segmentEnd('/ab/c', 4)], [3, 5])
  })
})
