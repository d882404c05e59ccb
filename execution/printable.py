"""Which values an anchor may show: what the syntax tree tells about the text of an expression's value.

`why_not` returns "" for a value that may be shown and a reason where it is evident that its text carries an
address, depends on the hash order or runs the program's own code. Unknown values pass, except in a module that
gives its classes a text of their own (`Scope.unknown`): there a value is shown only if it is known to be plain.
What slips through is found when two runs under different hash seeds are compared.
"""

from __future__ import annotations

import ast
import builtins

from execution.scopes import BUILTIN_METHODS, FUNCTION, HASHED, INSTANCE, ITERATOR, UNSURE, VARYING, Scope, words

# A name certainly bound at a point of the program -> why its value is not shown, "" where it may be.
State = dict[str, str]

_ITERATOR_CALLS = words(
    "iter aiter zip map filter enumerate reversed open memoryview re.finditer csv.reader csv.writer csv.DictReader"
    " os.scandir os.walk os.popen io.StringIO io.BytesIO io.open tokenize.generate_tokens"
)
_FUNCTION_CALLS = words(
    "type property staticmethod classmethod functools.partial functools.lru_cache functools.cache functools.wraps"
    " functools.cmp_to_key operator.itemgetter operator.attrgetter operator.methodcaller collections.namedtuple"
    " typing.NewType enum.Enum"
)
_INSTANCE_CALLS = words("object super globals locals vars random.Random logging.getLogger")
_INSTANCE_MODULES = words("threading multiprocessing queue asyncio weakref socket subprocess contextvars")
_VARYING_CALLS = words("id hash os.getpid datetime.datetime.now datetime.date.today datetime.datetime.today")
_VARYING_MODULES = words("random time uuid secrets")
_STREAMS = frozenset({"sys.stdin", "sys.stdout", "sys.stderr"})
_SET_METHODS = words("union intersection difference symmetric_difference")
# What these give is an element or a copy of what they are called on.
_PASSING_METHODS = words("copy pop popitem get setdefault keys values items")
# These take the elements out of their argument: an iterator or a set becomes a plain sequence.
_COLLECTING_CALLS = words("list tuple sorted dict collections.deque collections.OrderedDict copy.copy copy.deepcopy")
# Whatever their arguments are, these give plain values.
_PLAIN_CALLS = words(
    "len int float bool str bytes bytearray complex ord chr repr ascii hex oct bin format range isinstance issubclass"
    " callable hasattr json.dumps sys.intern"
)
_PLAIN_MODULES = ("math.", "os.path.")
_PLAIN_METHODS = words(
    "split rsplit splitlines join strip lstrip rstrip lower upper title capitalize startswith endswith encode decode"
    " isdigit isalpha isalnum isspace isupper islower isidentifier zfill ljust rjust center partition rpartition"
)
# These give one of their arguments, an element of it, or what its numbers add up to.
_ARGUMENT_CALLS = words("abs round sum min max pow divmod next iter")
_PLAIN_TYPES = words("int float bool str bytes complex None")
_BUILTIN_FUNCTIONS = frozenset(name for name in dir(builtins) if callable(getattr(builtins, name)))


def why_not(expression: ast.expr, state: State, scope: Scope) -> str:
    """Why the text of this expression's value is not shown, or ""."""
    match expression:
        case ast.Constant() | ast.JoinedStr() | ast.Compare():
            return ""
        case ast.Lambda():
            return FUNCTION
        case ast.GeneratorExp():
            return ITERATOR
        case ast.Set() | ast.SetComp():
            return HASHED
        case ast.Name():
            return _of_name(expression.id, state, scope)
        case ast.Attribute():
            return _of_attribute(expression, scope)
        case ast.Call():
            return _of_call(expression, state, scope)
        case ast.BinOp(left=ast.Constant(value=str() | bytes()), op=ast.Mod()):
            return ""
        case ast.UnaryOp(op=ast.Not()):
            return ""
        case ast.DictComp(value=value) | ast.ListComp(elt=value):
            return why_not(value, state, scope)
        case ast.NamedExpr(value=value) | ast.Starred(value=value) | ast.UnaryOp(operand=value):
            return why_not(value, state, scope)
        case ast.Subscript(value=value):
            reason = why_not(value, state, scope)
            return reason if reason in (INSTANCE, FUNCTION, HASHED, UNSURE) else ""
        case ast.Await() | ast.Yield() | ast.YieldFrom():
            return scope.unknown
        case _:
            return _first(_parts(expression), state, scope)


def taken_out(reason: str) -> str:
    """Why an element of such a value is not shown: iterators and sets give plain elements as far as is known."""
    return reason if reason in (INSTANCE, FUNCTION, UNSURE) else ""


def of_annotation(annotation: ast.expr | None, scope: Scope) -> str:
    """Why a parameter with this type hint is not shown, or ""."""
    if annotation is None:
        return scope.unknown
    for node in ast.walk(annotation):
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            name = node.value
        if any(given.calls.get(name) == INSTANCE for given in scope.chain()):
            return INSTANCE
        if name == "Callable":
            return FUNCTION
        if name in {
            "Iterator",
            "Iterable",
            "Generator",
            "AsyncIterator",
            "AsyncGenerator",
            "TextIO",
            "BinaryIO",
            "IO",
        }:
            return ITERATOR
        if name in {"set", "frozenset", "Set", "FrozenSet", "AbstractSet", "MutableSet"}:
            return HASHED
    plain = all(node.id in _PLAIN_TYPES for node in ast.walk(annotation) if isinstance(node, ast.Name))
    return "" if plain and isinstance(annotation, ast.Name | ast.BinOp) else scope.unknown


def _parts(expression: ast.expr) -> list[ast.expr]:
    match expression:
        case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.BoolOp(values=elements):
            return elements
        case ast.Dict(keys=keys, values=values):
            return [*filter(None, keys), *values]
        case ast.IfExp(body=body, orelse=orelse):
            return [body, orelse]
        case ast.BinOp(left=left, right=right):
            return [left, right]
    return []


def _first(expressions: list[ast.expr], state: State, scope: Scope) -> str:
    for expression in expressions:
        reason = why_not(expression, state, scope)
        if reason:
            return reason
    return ""


def _of_name(name: str, state: State, scope: Scope) -> str:
    if name in scope.with_attributes and name in scope.bound:
        return scope.values.get(name, INSTANCE)
    if name in state:
        return state[name]
    for given in scope.chain():
        if name in given.values:
            return given.values[name]
        if name in given.bound:
            return scope.unknown
    return FUNCTION if name in _BUILTIN_FUNCTIONS else scope.unknown


def _of_attribute(expression: ast.Attribute, scope: Scope) -> str:
    if expression.attr in BUILTIN_METHODS:
        return FUNCTION
    return ITERATOR if scope.dotted(expression) in _STREAMS else scope.unknown


def _of_call(call: ast.Call, state: State, scope: Scope) -> str:
    function = call.func
    if isinstance(function, ast.Name):
        for given in scope.chain():
            if function.id in given.calls:
                return given.calls[function.id] or scope.unknown
            if function.id in given.bound:
                break
        if function.id == "cls":
            return INSTANCE
    if isinstance(function, ast.Attribute):
        if function.attr == "__new__" or (isinstance(function.value, ast.Name) and function.attr == "__class__"):
            return INSTANCE
        if function.attr in _SET_METHODS:
            return HASHED
        if function.attr in _PASSING_METHODS:
            reason = why_not(function.value, state, scope)
            return reason if function.attr == "copy" else taken_out(reason)
        if function.attr in _PLAIN_METHODS:
            return ""
    return _of_known_call(scope.dotted(function), call, state, scope)


def _of_known_call(path: str, call: ast.Call, state: State, scope: Scope) -> str:
    module = path.partition(".")[0] if "." in path else ""
    if path in {"set", "frozenset"}:
        return HASHED
    if path in _COLLECTING_CALLS:
        return taken_out(_first(call.args, state, scope))
    if path in {"defaultdict", "collections.defaultdict"}:
        factory = call.args[0] if call.args else None
        if isinstance(factory, ast.Name) and factory.id in {"int", "list", "dict", "str", "float", "bool"}:
            return ""
        return HASHED if isinstance(factory, ast.Name) and factory.id == "set" else FUNCTION if factory else ""
    if path in _ITERATOR_CALLS or module == "itertools":
        return ITERATOR
    if path in _FUNCTION_CALLS:
        return FUNCTION
    if path in _INSTANCE_CALLS or module in _INSTANCE_MODULES:
        return INSTANCE
    if path in _VARYING_CALLS or module in _VARYING_MODULES:
        return VARYING
    if path in _PLAIN_CALLS or path.startswith(_PLAIN_MODULES):
        return ""
    if path in _ARGUMENT_CALLS and scope.unknown:
        return taken_out(_first(call.args, state, scope))
    return scope.unknown
