"""Anchors stand where the rules say: exact instrumented source; the original is that text without its anchors."""

from __future__ import annotations

import ast
import re
from textwrap import dedent

import pytest

from execution.anchors import instrument

_ANCHOR = re.compile(r"^[ \t]*print\(f'(\w+): \{\1\}'\)\n", re.MULTILINE)
_RETURN = re.compile(r"^[ \t]*return return_val(_\d+)?\n", re.MULTILINE)


def without_anchors(instrumented: str) -> str:
    source = _RETURN.sub("", _ANCHOR.sub("", instrumented))
    return re.sub(r"\breturn_val(_\d+)? = ", "return ", source)


PLACED = {
    "assignments, chained, annotated and augmented": """
        def f(a):
            b = c = a
            print(f'b: {b}')
            print(f'c: {c}')
            d: int = 2
            print(f'd: {d}')
            e: int
            d += b
            print(f'd: {d}')
            return_val = d * c
            print(f'return_val: {return_val}')
            return return_val
    """,
    "tuple and star targets, subscript targets": """
        def f(xs, d):
            a, *b = xs
            print(f'a: {a}')
            print(f'b: {b}')
            (c, e), d['k'] = b
            print(f'c: {c}')
            print(f'e: {e}')
            print(f'd: {d}')
            d['k'][0] += 1
            print(f'd: {d}')
            del d['k']
            print(f'd: {d}')
            del c
            print(f'a: {a}')
            return a
    """,
    "a loop prints what it changed, once, after it": """
        def f(xs):
            total = 0
            print(f'total: {total}')
            seen = []
            print(f'seen: {seen}')
            for x in xs:
                total += x
                y = total
                seen.append(y)
                while y > 3:
                    y -= 1
            print(f'total: {total}')
            print(f'seen: {seen}')
            return
    """,
    "a while loop with else, break and a return inside": """
        def f(n):
            i = 0
            print(f'i: {i}')
            while i < n:
                if i == 7:
                    return i
                if i == 5:
                    break
                i += 1
            else:
                n = 0
                print(f'n: {n}')
            print(f'i: {i}')
            print(f'n: {n}')
            return n
    """,
    "an endless loop binds before its break": """
        def f(xs):
            while True:
                last = xs.pop()
                if not xs:
                    break
            print(f'last: {last}')
            print(f'xs: {xs}')
            print(f'last: {last}')
            return last
    """,
    "mutating calls, also of heapq and on what is in a container": """
        import heapq
        from bisect import insort as put
        def f(xs, d):
            xs.append(1)
            print(f'xs: {xs}')
            xs[0].sort()
            print(f'xs: {xs}')
            heapq.heappush(xs, 2)
            print(f'xs: {xs}')
            put(xs, 3)
            print(f'xs: {xs}')
            y = d.setdefault('a', []).pop()
            print(f'y: {y}')
            print(f'd: {d}')
            xs.count(1)
            xs.sort and print(xs)
    """,
    "branches, with the return of a name and of an expression": """
        def f(x):
            if x > 1:
                y = 1
                print(f'y: {y}')
                print(f'y: {y}')
                return y
            elif x:
                return_val = x + 1  # a comment stays
                print(f'return_val: {return_val}')
                return return_val
            else:
                y = 2
                print(f'y: {y}')
            return_val = None
            print(f'return_val: {return_val}')
            return return_val
    """,
    "try, except, else and finally": """
        def f(xs):
            try:
                a = xs[0]
                print(f'a: {a}')
            except IndexError as error:
                a = 0
                print(f'a: {a}')
            else:
                xs = []
                print(f'xs: {xs}')
            finally:
                b = 1
                print(f'b: {b}')
            while b < 2:
                a, b = b, 3
            print(f'a: {a}')
            print(f'b: {b}')
            print(f'a: {a}')
            return a
    """,
    "return in finally": """
        def f(x):
            try:
                return_val = x + 1
                print(f'return_val: {return_val}')
                return return_val
            finally:
                return_val = x + 2
                print(f'return_val: {return_val}')
                return return_val
    """,
    "with: the target, then the body": """
        def f(make):
            with make() as (a, b), make():
                print(f'a: {a}')
                print(f'b: {b}')
                c = a + b
                print(f'c: {c}')
            return_val = [c]
            print(f'return_val: {return_val}')
            return return_val
    """,
    "match": """
        def f(command):
            match command:
                case [first, *rest] if rest:
                    r = first
                    print(f'r: {r}')
                case {'k': value}:
                    return_val = value + 1
                    print(f'return_val: {return_val}')
                    return return_val
                case _:
                    r = 0
                    print(f'r: {r}')
            for i in range(2):
                r += i
            print(f'r: {r}')
            print(f'r: {r}')
            return r
    """,
    "walrus in plain statements": """
        def f(x):
            y = (w := x + 1) * 2
            print(f'y: {y}')
            print(f'w: {w}')
            assert (n := 3)
            print(f'n: {n}')
    """,
    "methods, nested functions, closures, global and nonlocal": """
        G = 0
        print(f'G: {G}')
        class A:
            k = 1
            def m(self, x):
                global G
                G = x
                print(f'G: {G}')
                self.x = x
                def inner():
                    nonlocal x
                    x += 1
                    print(f'x: {x}')
                    print(f'x: {x}')
                    return x
                return_val = inner() + self.x
                print(f'return_val: {return_val}')
                return return_val
            class B:
                @staticmethod
                def n(x):
                    x = [x]
                    print(f'x: {x}')
                    print(f'x: {x}')
                    return x
    """,
    "generators and async functions": """
        def g(n):
            t = 0
            print(f't: {t}')
            for i in range(n):
                t += i
                yield t
            print(f't: {t}')
            got = yield 5
            print(f'got: {got}')
        async def h(xs):
            out = []
            print(f'out: {out}')
            async for x in xs:
                out.append(x)
            print(f'out: {out}')
            y = await g(x)
            print(f'y: {y}')
            print(f'out: {out}')
            return out
    """,
    "decorators, docstrings, future imports, non-ASCII names, quotes and braces": '''
        # -*- coding: utf-8 -*-
        """A docstring; with a semicolon"""
        from __future__ import annotations
        import functools
        é = '{x}\\'"';
        print(f'é: {é}')
        @functools.lru_cache(
            maxsize=None
        )
        def f(ñ: int) -> int:
            """{ñ}: print(f'ñ: {ñ}')"""
            ñ = ñ + 1  # ü; x = 1
            print(f'ñ: {ñ}')

            # a comment between
            print(f'ñ: {ñ}')
            return ñ
    ''',
    "a taken name for the returned value": """
        def f(return_val):
            return_val_2 = return_val + 1
            print(f'return_val_2: {return_val_2}')
            return return_val_2
    """,
    "statements of several lines": """
        def f(x):
            y = x + \\
                1
            print(f'y: {y}')
            z = '''
            a
              ''' + [
                x,
            ][0]  # behind
            print(f'z: {z}')
            return_val = (y
                    + z)
            print(f'return_val: {return_val}')
            return return_val
    """,
    "module code outside functions": """
        LIMIT = 3
        print(f'LIMIT: {LIMIT}')
        __all__ = ['f']
        _ = 1
        if LIMIT:
            table = [n for n in range(LIMIT)]
            print(f'table: {table}')
        for i in table:
            LIMIT += i
        print(f'LIMIT: {LIMIT}')
    """,
}  # fmt: skip


@pytest.mark.parametrize("name", PLACED)
def test_anchors_are_placed(name: str) -> None:
    instrumented = dedent(PLACED[name]).lstrip("\n")
    source = without_anchors(instrumented)
    assert source != instrumented
    assert instrument(source).source == instrumented


UNROLLED = {
    "one-line suites of if, elif and else": (
        "def f(x):\n  if x: return 1\n  elif x is None: y = 2; return y  # both\n  else: pass\n  return x\n",
        "def f(x):\n  if x:\n      return_val = 1\n      print(f'return_val: {return_val}')\n      return return_val\n"
        "  elif x is None:\n      y = 2\n      print(f'y: {y}')\n      print(f'y: {y}')\n      return y  # both\n"
        "  else: pass\n  print(f'x: {x}')\n  return x\n",
    ),
    "semicolons, also across a continuation": (
        "def f():\n    a = 1; b = 2; \\\n    c = 3;\n    pass; d = 4\n",
        "def f():\n    a = 1\n    print(f'a: {a}')\n    b = 2\n    print(f'b: {b}')\n    c = 3;\n    print(f'c: {c}')\n"
        "    pass; d = 4\n    print(f'd: {d}')\n",
    ),
    "tabs": (
        "def f(x):\n\tif x: return x\n\ty = [\n\t\tx,\n\t]\n",
        "def f(x):\n\tif x:\n\t\tprint(f'x: {x}')\n\t\treturn x\n\ty = [\n\t\tx,\n\t]\n\tprint(f'y: {y}')\n",
    ),
    "a function on one line": (
        "def f(x): return x * 2",
        "def f(x):\n    return_val = x * 2\n    print(f'return_val: {return_val}')\n    return return_val",
    ),
    "one-line case, try and with": (
        "def f(x):\n    match x:\n        case 1: y = 2\n    try: y = 3\n    except ValueError: y = 4\n"
        "    with x as z: pass\n",
        "def f(x):\n    match x:\n        case 1:\n            y = 2\n            print(f'y: {y}')\n"
        "    try:\n        y = 3\n        print(f'y: {y}')\n    except ValueError:\n        y = 4\n"
        "        print(f'y: {y}')\n    with x as z:\n        print(f'z: {z}')\n        pass\n",
    ),
    "a one-line loop": (
        "def f(x):\n    for i in x: x = i; y = 1\n    return\n",
        "def f(x):\n    for i in x: x = i; y = 1\n    print(f'x: {x}')\n    return\n",
    ),
    "line ends of Windows, no line end at the end": (
        "def f(x):\r\n    y = x\r\n    return y",
        "def f(x):\r\n    y = x\r\n    print(f'y: {y}')\r\n    print(f'y: {y}')\r\n    return y",
    ),
    "a decorated function first in a with body": (
        "with x as z:\n    # first\n    @d\n    def f(): pass\n",
        "with x as z:\n    # first\n    print(f'z: {z}')\n    @d\n    def f(): pass\n",
    ),
}


@pytest.mark.parametrize("name", UNROLLED)
def test_lines_are_split_only_where_an_anchor_needs_it(name: str) -> None:
    source, instrumented = UNROLLED[name]
    assert instrument(source).source == instrumented


def test_anchors_are_numbered_in_textual_order_with_their_kind_and_lines() -> None:
    placed = instrument("def f(x):\n    y = 1\n    for i in x:\n        y += i\n    return y + 1\nz = f([])\n")
    found = [(one.index, one.name, one.kind, one.line, one.instrumented_line) for one in placed.anchors]
    assert found == [
        (0, "y", "assign", 2, 3),
        (1, "y", "loop", 3, 6),
        (2, "return_val", "return", 5, 8),
        (3, "z", "assign", 6, 11),
    ]
    assert placed.anchor_lines == (3, 6, 8, 11)


def test_the_line_map_takes_every_original_line_to_its_line_and_back() -> None:
    placed = instrument("def f(x):\n    y = (1,\n         2); z = 3\n\n    if x: return y\n    return z\n")
    assert placed.line_map == {1: 1, 2: 2, 3: 3, 4: 7, 5: 8, 6: 12}
    assert placed.original_lines[8] == 5
    assert set(placed.original_lines) & set(placed.anchor_lines) == set()


def test_anchors_asked_to_be_left_out_are_and_say_so() -> None:
    placed = instrument("x = 1\ny = 2\n", without={(1, "x")})
    assert placed.source == "x = 1\ny = 2\nprint(f'y: {y}')\n"
    assert placed.left_out == ((1, "x: asked for"),)


@pytest.mark.parametrize("source", ["def f(:\n", "x = 1\0", "(" * 500 + ")" * 500, "\ufeffx = 1\n"])
def test_what_does_not_parse_is_a_syntax_error(source: str) -> None:
    with pytest.raises(SyntaxError):
        instrument(source)


@pytest.mark.parametrize("source", ["", "\n", "# only a comment", "pass\n", "x = 1 \\\n\n", "\fx = 1\r"])
def test_unusual_files_stay_python_and_keep_their_lines(source: str) -> None:
    placed = instrument(source)
    ast.parse(placed.source)
    assert placed.source.startswith(source.rstrip("\r\n"))
