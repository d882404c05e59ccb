"""What a program defines and calls, by its syntax alone: functions, classes, and which calls change nothing."""

from __future__ import annotations

import ast
import builtins
from collections import Counter, OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass

FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
CONSTRUCTOR = "__init__"
# fmt: off
PURE_MODULES = frozenset({
    "math", "cmath", "itertools", "functools", "collections", "string", "re", "statistics", "fractions",
    "decimal", "datetime", "typing", "dataclasses", "enum", "abc", "textwrap", "numbers", "copy", "json"
})
# fmt: on


def _methods(*kinds: type) -> frozenset[str]:
    return frozenset(name for kind in kinds for name in dir(kind) if not name.startswith("__"))


# methods of values that can't change, and those of containers that only read
PURE_METHODS = _methods(str, bytes, int, float, complex, tuple, frozenset, range) | {"get", "keys", "values", "items"}
CONTAINER_METHODS = _methods(list, dict, set, bytearray, deque, Counter, OrderedDict)
CHANGING_BUILTINS = frozenset({"next", "setattr", "delattr", "exec", "eval"})
CALLING_BUILTINS = frozenset({"map", "filter", "sorted", "min", "max", "iter"})
_KNOWN_DECORATORS = frozenset(
    {"staticmethod", "classmethod", "property", "cache", "lru_cache", "wraps", "abstractmethod"}
)


@dataclass(frozen=True)
class Definitions:
    """Functions of one name are one function here; a class is its `__init__`.

    `num_parameters` of each function; `loose`: any argument may be any parameter; `passed_around`: used as a value;
    `implicit`: called by Python itself, or by a decorator, with whatever values; `outer`: names that some function
    reads and does not set; `imported`: names that imports bind, of which `pure` change no argument.
    """

    num_parameters: dict[str, int]
    classes: frozenset[str]
    loose: frozenset[str]
    passed_around: frozenset[str]
    implicit: frozenset[str]
    outer: frozenset[str]
    imported: frozenset[str]
    pure: frozenset[str]

    @classmethod
    def of(cls, tree: ast.Module) -> Definitions:
        nodes = list(ast.walk(tree))
        functions = [node for node in nodes if isinstance(node, FUNCTIONS)]
        widths: dict[str, int] = {}
        for node in functions:
            widths[node.name] = max(widths.get(node.name, 0), len(parameters(node.args)))
        imports = [(name, module) for node in nodes for name, module in _imported(node)]
        return cls(
            num_parameters=widths,
            classes=frozenset(node.name for node in nodes if isinstance(node, ast.ClassDef)),
            loose=frozenset(
                node.name for node in functions if node.decorator_list or node.args.vararg or node.args.kwarg
            ),
            passed_around=frozenset(_used_as_values(nodes)),
            implicit=frozenset(node.name for node in functions if _is_implicit(node)),
            outer=frozenset(name for node in functions for name in _free(node)),
            imported=frozenset(name for name, _ in imports),
            pure=frozenset(name for name, module in imports if module in PURE_MODULES),
        )

    def function(self, node: ast.Call) -> str:
        """The name of the program's own function that a call means; empty where it is none, or not known."""
        name = called(node)
        if name in self.classes or name in ("cls", "__class__"):
            name = CONSTRUCTOR
        return name if name in self.num_parameters else ""

    def constructs(self, node: ast.Call) -> bool:
        return self.function(node) == CONSTRUCTOR != called(node)

    def changes_nothing(self, node: ast.Call) -> bool:
        """Whether a call of code that is not the program's leaves its object and its arguments as they are."""
        name = called(node)
        if isinstance(node.func, ast.Name):
            known = name in self.pure or name in self.classes or hasattr(builtins, name)
            return known and name not in CHANGING_BUILTINS
        return isinstance(node.func, ast.Attribute) and (_first(node.func) in self.pure or name in PURE_METHODS)


def parameters(arguments: ast.arguments) -> list[str]:
    several = [arguments.vararg, arguments.kwarg]
    plain = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [argument.arg for argument in (*plain, *several) if argument is not None]


def called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def scope_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function's own scope, those of functions in it left out."""
    waiting = list(ast.iter_child_nodes(scope))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, FUNCTIONS | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def _free(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    names = [node for node in scope_nodes(function) if isinstance(node, ast.Name)]
    declared = {
        name for node in scope_nodes(function) if isinstance(node, ast.Global | ast.Nonlocal) for name in node.names
    }
    bound = {node.id for node in names if isinstance(node.ctx, ast.Store)} | set(parameters(function.args))
    return {node.id for node in names} - bound | declared


def _used_as_values(nodes: list[ast.AST]) -> Iterator[str]:
    """Names that stand elsewhere than as what a call calls; of a class its constructor."""
    plainly = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    classes = {node.name for node in nodes if isinstance(node, ast.ClassDef)}
    for node in nodes:
        if isinstance(node, ast.Name | ast.Attribute) and id(node) not in plainly:
            name = node.id if isinstance(node, ast.Name) else node.attr
            yield CONSTRUCTOR if name in classes else name


def _is_implicit(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    name = function.name
    decorators = [node.func if isinstance(node, ast.Call) else node for node in function.decorator_list]
    names = {getattr(node, "attr", getattr(node, "id", "")) for node in decorators}
    return (name.startswith("__") and name.endswith("__") and name != CONSTRUCTOR) or not names <= _KNOWN_DECORATORS


def _imported(node: ast.AST) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Import):
        yield from ((alias.asname or alias.name.split(".")[0], alias.name.split(".")[0]) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from ((alias.asname or alias.name, (node.module or "").split(".")[0]) for alias in node.names)


def _first(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
