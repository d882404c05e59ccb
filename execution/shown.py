"""Parts of values that are at hand as canonical text only: the item at a key, the field of an object."""

from __future__ import annotations

import ast
import re
from typing import Any

Shown = tuple[str, str]

# A string, or what canonical text shows in angle brackets: functions, classes, objects without fields, cycles.
_STRING_OR_OPAQUE = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|<[^<>]*(?:<[^<>]*>[^<>]*)?>""")
_STAND_IN = "opaque_"
_ARRAYS = frozenset({"array", "matrix"})
_NODE_TYPES: dict[type, str] = {ast.List: "list", ast.Tuple: "tuple", ast.Dict: "dict", ast.Set: "set"}


class ShownValue:
    """The canonical text of one value, taken apart. `ValueError` where the text was cut."""

    def __init__(self, text: str) -> None:
        self._opaque: list[str] = []
        code = _STRING_OR_OPAQUE.sub(self._replace, text)
        try:
            body = ast.parse(code, mode="eval").body
        except (SyntaxError, RecursionError, MemoryError) as error:
            raise ValueError(f"no canonical text: {text[:100]!r}: {error}") from None
        self._code = code.encode("utf-8", "surrogatepass")
        self._body = body

    def _replace(self, found: re.Match[str]) -> str:
        text = found[0]
        if text[0] != "<":
            return text
        self._opaque.append(text)
        return f"{_STAND_IN}{len(self._opaque) - 1}"

    def item(self, key: Any) -> Shown | None:
        """What `value[key]` shows; None where it is no list, tuple, text or dict, or holds no such item."""
        if self._body_name() in _ARRAYS:
            return self._array_item(key if isinstance(key, tuple) else (key,))
        node = self._content(self._body)
        if isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            found = [value for name, value in pairs if name is not None and _is_key(name, key)]
            return self._show(found[-1]) if found else None
        try:
            if isinstance(node, ast.List | ast.Tuple):
                return self._show(node.elts[key])
            if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
                part = node.value[key]
                return type(part).__name__, repr(part)
        except (IndexError, TypeError):
            return None
        return None

    def _array_item(self, key: tuple[Any, ...]) -> Shown | None:
        """The scalar of a numpy array at one index per dimension; its kind tells the type, as numpy's defaults do."""
        found: Any = self._content(self._body)
        for index in key:
            elements = found.elts if isinstance(found, ast.List) else []
            if type(index) is not int or not -len(elements) <= index < len(elements):
                return None
            found = elements[index]
        kind, text = self._show(found)
        return (f"{kind}64", f"{kind}64({text})") if kind in {"int", "float"} else None

    def field(self, name: str) -> Shown | None:
        """What `value.name` shows for an object's own field; None where it has none of that name."""
        if not isinstance(self._body, ast.Call):
            return None
        found = [keyword.value for keyword in self._body.keywords if keyword.arg == name]
        return self._show(found[0]) if found else None

    def _body_name(self) -> str:
        body = self._body
        return body.func.id if isinstance(body, ast.Call) and isinstance(body.func, ast.Name) else ""

    @staticmethod
    def _content(node: ast.expr) -> ast.expr:
        """The container in the text of one of its subclasses: `Counter({…})`, `deque([…], maxlen=3)`."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
            if node.func.id.startswith("dict_"):  # a view has no items
                return node
            return node.args[1] if node.func.id == "defaultdict" and len(node.args) == 2 else node.args[0]
        return node

    def _show(self, node: ast.expr) -> Shown:
        code = self._code[node.col_offset : node.end_col_offset].decode("utf-8", "surrogatepass")
        if isinstance(node, ast.Tuple) and not code.startswith("("):
            code = f"({code})"
        text = re.sub(rf"{_STAND_IN}(\d+)", lambda found: self._opaque[int(found[1])], code)
        return self._type_of(node), text

    def _type_of(self, node: ast.expr) -> str:
        if isinstance(node, ast.Name) and node.id.startswith(_STAND_IN):
            return _type_of_opaque(self._opaque[int(node.id.removeprefix(_STAND_IN))])
        if isinstance(node, ast.Name):  # nan, inf
            return "float"
        if isinstance(node, ast.Call | ast.Attribute):  # Name(...), Name.MEMBER
            named = node.func if isinstance(node, ast.Call) else node.value
            return ast.unparse(named).rpartition(".")[2]
        if isinstance(node, ast.UnaryOp):
            return self._type_of(node.operand)
        if isinstance(node, ast.BinOp):
            return "complex"
        if isinstance(node, ast.Constant):
            return type(node.value).__name__
        return _NODE_TYPES.get(type(node), "object")


def _is_key(node: ast.expr, key: Any) -> bool:
    try:
        return bool(ast.literal_eval(node) == key)
    except (ValueError, TypeError, RecursionError):
        return False


def _type_of_opaque(text: str) -> str:
    """`<class 'A'>` is a type, `<function f>` a function, `<A object>` an A."""
    words = text[1:-1].split()
    if words[:1] == ["class"]:
        return "type"
    if words[:1] == ["built-in"]:
        return "builtin_function_or_method"
    return words[0] if words else "object"
