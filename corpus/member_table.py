"""The table of members: what each type offers to the synthesiser, after ExecVerify's lists of seeds.

ExecVerify (arXiv 2603.11226) has str, list, dict, set, tuple, float and five built-ins; int, bool and more built-ins
are added. Sets end as sorted lists or numbers: their own text depends on the hash order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from corpus.members import (
    Member,
    ShapeRule,
    any_item,
    appended,
    as_list,
    as_set,
    as_tuple,
    between,
    cut,
    emptied,
    fraction,
    grown,
    item,
    joined,
    length,
    magnitude,
    operator,
    popped,
    position,
    repeated,
    same,
    scaled,
    shrunk,
    some_of_list,
    text_of,
    total,
    truth,
    united,
    up_to_length,
    value_or_number,
    whole,
    widened,
    with_item,
    words,
)
from corpus.shapes import Shape, hull, number

_Rows = list[tuple[str, str, ShapeRule]]


def _square(shape: Shape) -> Shape:
    high = max(shape.low**2, shape.high**2)
    return number(0, high)


def _number_of_it(receiver: Shape, others: Sequence[Shape]) -> Shape:
    """One of its numbers, or 0."""
    return number(min(0, receiver.low), max(0, receiver.high))


def _pick(choose: Callable[[int, int], int], one: Shape, two: Shape) -> Shape:
    return number(choose(one.low, two.low), choose(one.high, two.high))


def _mirrored(shape: Shape) -> Shape:
    bound = max(abs(shape.low), abs(shape.high))
    return Shape(shape.kind, 0, bound, shape.shortest, shape.longest)


def _up_to(shape: Shape) -> Shape:
    return Shape("list", 0, max(0, shape.longest - 1), shape.shortest, shape.longest)


def _lengths(shape: Shape) -> Shape:
    return Shape("list", 0, shape.item, shape.shortest, shape.longest)


_STR: _Rows = [
    ("upper", "$.upper()", same),
    ("lower", "$.lower()", same),
    ("swapcase", "$.swapcase()", same),
    ("title", "$.title()", same),
    ("capitalize", "$.capitalize()", same),
    ("casefold", "$.casefold()", same),
    ("strip", "$.strip(<letter>)", shrunk),
    ("lstrip", "$.lstrip(<letter>)", shrunk),
    ("rstrip", "$.rstrip(<letter>)", shrunk),
    ("replace", "$.replace(<letter>, <letter>)", same),
    ("removeprefix", "$.removeprefix(<letter>)", cut(1)),
    ("removesuffix", "$.removesuffix(<letter>)", cut(1)),
    ("center", "$.center(<width>, '*')", grown(12)),
    ("ljust", "$.ljust(<width>, '-')", grown(12)),
    ("rjust", "$.rjust(<width>, '.')", grown(12)),
    ("zfill", "$.zfill(<width>)", grown(12)),
    ("split", "$.split(<letter>)", words),
    ("splitlines", "$.splitlines()", words),
    ("partition", "list($.partition(<letter>))", lambda s, o: words(s, o).sized(3, 3)),
    ("rpartition", "list($.rpartition(<letter>))", lambda s, o: words(s, o).sized(3, 3)),
    ("find", "$.find(<letter>)", position),
    ("rfind", "$.rfind(<letter>)", position),
    ("count", "$.count(<letter>)", up_to_length),
    ("startswith", "$.startswith(<letter>)", truth),
    ("endswith", "$.endswith(<letter>)", truth),
    ("isalpha", "$.isalpha()", truth),
    ("isdigit", "$.isdigit()", truth),
    ("isalnum", "$.isalnum()", truth),
    ("isupper", "$.isupper()", truth),
    ("islower", "$.islower()", truth),
    ("istitle", "$.istitle()", truth),
    ("isspace", "$.isspace()", truth),
    ("translate", "$.translate({97: 'o'})", same),
    ("join", "'-'.join($)", lambda s, o: s.sized(s.shortest, 2 * s.longest)),
    ("format", "'<{}>'.format($)", lambda s, o: s.sized(s.shortest + 2, s.longest + 2)),
    ("+", "$ + <word>", grown(5)),
    ("*", "$ * <times>", repeated),
    ("in", "<letter> in $", truth),
    ("not in", "<letter> not in $", truth),
    ("==", "$ == <word>", truth),
    ("<", "$ < <word>", truth),
    (">=", "$ >= <word>", truth),
    ("[]", "$[<index>]", item),
    ("[i:]", "$[<small>:]", cut(4)),
    ("[:j]", "$[:-<small>]", cut(4)),
    ("[i:j]", "$[<index>:<width>]", shrunk),
    ("[::-1]", "$[::-1]", same),
    ("[::2]", "$[::2]", shrunk),
    ("len", "len($)", length),
    ("sorted", "sorted($)", as_list),
    ("list", "list($)", as_list),
]

_SEQUENCE: _Rows = [
    ("+", "$ + <same>", joined),
    ("*", "$ * <times>", repeated),
    ("in", "<int> in $", truth),
    ("not in", "<int> not in $", truth),
    ("==", "$ == <same>", truth),
    ("<", "$ < <same>", truth),
    ("[]", "$[<index>]", item),
    ("[-1]", "$[-1]", any_item),
    ("[i:]", "$[<small>:]", cut(4)),
    ("[:j]", "$[:<width>]", shrunk),
    ("[::-1]", "$[::-1]", same),
    ("[::2]", "$[::2]", shrunk),
    ("len", "len($)", length),
    ("count", "$.count(<int>)", up_to_length),
]

_LIST: _Rows = [*_SEQUENCE, ("copy", "$.copy()", same), ("tuple", "tuple($)", as_tuple), ("set", "set($)", as_set)]
_LIST_CHANGES: _Rows = [
    ("append", "$.append(<int>)", appended),
    ("extend", "$.extend(<same>)", joined),
    ("insert", "$.insert(<index>, <int>)", appended),
    ("pop", "$.pop()", popped),
    ("sort", "$.sort()", same),
    ("reverse", "$.reverse()", same),
    ("clear", "$.clear()", emptied),
    ("+=", "$ += [<int>]", appended),
    ("[]=", "$[:1] = [<int>]", with_item),
]

_TUPLE: _Rows = [*_SEQUENCE, ("list", "list($)", as_list), ("sorted", "sorted($)", as_list)]

_DICT: _Rows = [
    ("get", "$.get(<word>, <number>)", value_or_number),
    ("in", "<word> in $", truth),
    ("not in", "<word> not in $", truth),
    ("==", "$ == <same>", truth),
    ("len", "len($)", length),
    ("keys", "list($.keys())", as_list),
    ("values", "list($.values())", scaled(1)),
    ("items", "[key for key, value in $.items() if value > <small>]", some_of_list),
    ("sorted", "sorted($)", as_list),
    ("|", "$ | <same>", united),
    ("copy", "$.copy()", same),
    ("max", "max($.values(), default=0)", _number_of_it),
    ("sum", "sum($.values())", total),
]
_DICT_CHANGES: _Rows = [
    ("[]=", "$[<word>] = <int>", with_item),
    ("setdefault", "$.setdefault(<word>, <int>)", with_item),
    ("update", "$.update(<same>)", united),
    ("pop", "$.pop(<word>, 0)", cut(1)),
    ("clear", "$.clear()", emptied),
]

_SET: _Rows = [
    ("&", "$ & <same>", shrunk),
    ("|", "$ | <same>", united),
    ("-", "$ - <same>", shrunk),
    ("^", "$ ^ <same>", lambda s, o: united(s, o).sized(0, s.longest + o[0].longest)),
    ("union", "$.union(<same>)", united),
    ("intersection", "$.intersection(<same>)", shrunk),
    ("difference", "$.difference(<same>)", shrunk),
    ("issubset", "$.issubset(<same>)", truth),
    ("issuperset", "$.issuperset(<same>)", truth),
    ("isdisjoint", "$.isdisjoint(<same>)", truth),
    ("<=", "$ <= <same>", truth),
    ("in", "<int> in $", truth),
    ("len", "len($)", length),
    ("copy", "$.copy()", same),
    ("sorted", "sorted($)", scaled(1)),
]
_SET_CHANGES: _Rows = [
    ("add", "$.add(<int>)", with_item),
    ("discard", "$.discard(<int>)", cut(1)),
    ("update", "$.update(<same>)", united),
]

_INT: _Rows = [
    ("+", "$ + <int>", operator("+")),
    ("-", "$ - <int>", operator("-")),
    ("*", "$ * <int>", operator("*")),
    ("//", "$ // <small>", operator("//")),
    ("%", "$ % <number>", operator("%")),
    ("**", "$ ** 2", lambda s, o: _square(s)),
    ("abs", "abs($)", magnitude),
    ("divmod", "divmod($, <number>)[1]", operator("%")),
    ("min", "min($, <int>)", lambda s, o: _pick(min, s, o[0])),
    ("max", "max($, <int>)", lambda s, o: _pick(max, s, o[0])),
    ("<", "$ < <int>", truth),
    (">", "$ > <int>", truth),
    ("==", "$ == <int>", truth),
    ("!=", "$ != <int>", truth),
    ("&", "$ & 7", between(0, 7)),
    ("bit_length", "$.bit_length()", between(0, 24)),
    ("str", "str($)", text_of(8)),
    ("bin", "bin($)", text_of(24)),
    ("hex", "hex($)", text_of(10)),
    ("bool", "bool($)", truth),
    ("float", "float($)", fraction),
]

_FLOAT: _Rows = [
    ("+", "$ + <int>", fraction),
    ("-", "$ - <int>", fraction),
    ("*", "$ * <small>", fraction),
    ("/", "$ / 2", fraction),
    ("int", "int($)", whole),
    ("round", "round($)", whole),
    ("//", "$ // <small>", fraction),
    ("%", "$ % <number>", fraction),
    ("abs", "abs($)", fraction),
    ("is_integer", "$.is_integer()", truth),
    ("<", "$ < <int>", truth),
    (">=", "$ >= <int>", truth),
    ("bool", "bool($)", truth),
    ("math.floor", "math.floor($)", whole),
    ("math.ceil", "math.ceil($)", whole),
]

_BOOL: _Rows = [
    ("not", "not $", truth),
    ("and", "$ and <bool>", truth),
    ("or", "$ or <bool>", truth),
    ("==", "$ == <bool>", truth),
    ("!=", "$ != <bool>", truth),
    ("^", "$ ^ <bool>", truth),
    ("int", "int($)", between(0, 1)),
    ("if else", "<int> if $ else <int>", lambda s, o: hull(o)),
]

# Built-ins that take a list of ints.
_BUILTINS: _Rows = [
    ("sum", "sum($)", total),
    ("min", "min($, default=0)", _number_of_it),
    ("max", "max($, default=0)", _number_of_it),
    ("sorted", "sorted($)", same),
    ("reversed", "list(reversed($))", same),
    ("enumerate", "[i + value for i, value in enumerate($)]", widened(12)),
    ("zip", "[a - b for a, b in zip($, $[1:])]", lambda s, o: widened(s.high - s.low)(s.sized(0, s.longest), o)),
    ("map", "list(map(abs, $))", lambda s, o: scaled(1)(_mirrored(s), o)),
    ("filter", "list(filter(lambda value: value > <number>, $))", some_of_list),
    ("range", "list(range(len($)))", lambda s, o: _up_to(s)),
    ("any", "any(value > <number> for value in $)", truth),
    ("all", "all(value % 2 == 0 for value in $)", truth),
    ("len", "len($)", length),
    ("list comprehension", "[value * <small> for value in $]", scaled(4)),
    ("if comprehension", "[value for value in $ if value % 2]", some_of_list),
    ("dict.fromkeys", "list(dict.fromkeys($))", lambda s, o: s.sized(min(1, s.shortest), s.longest)),
]

# What a list of strings offers beside its built-ins.
_WORDS: _Rows = [
    ("len", "len($)", length),
    ("[::-1]", "$[::-1]", same),
    ("[i:]", "$[<small>:]", cut(4)),
    ("[]", "$[<index>]", item),
    ("sorted", "sorted($)", same),
    ("sorted by", "sorted($, key=len)", same),
    ("map", "list(map(len, $))", lambda s, o: _lengths(s)),
    ("join", "' '.join($)", lambda s, o: s.element.sized(0, s.longest * (s.item + 1))),
    ("list comprehension", "[word.upper() for word in $]", same),
    ("in", "<word> in $", truth),
    ("count", "$.count(<word>)", up_to_length),
]
_WORDS_CHANGES: _Rows = [
    ("append", "$.append(<word>)", appended),
    ("sort", "$.sort()", same),
    ("reverse", "$.reverse()", same),
]


def _members(kind: str, rows: _Rows, changes: _Rows | None = None, type_name: str = "") -> list[Member]:
    name = type_name or kind
    return [Member(kind, *row, type_name=name) for row in rows] + [
        Member(kind, *row, is_statement=True, type_name=name) for row in changes or []
    ]


# Seeds by kind of receiver; `words` is only used beside others.
MEMBERS: dict[str, list[Member]] = {
    "str": _members("str", _STR),
    "list": _members("list", _LIST, _LIST_CHANGES) + _members("list", _BUILTINS, type_name="builtins"),
    "tuple": _members("tuple", _TUPLE),
    "dict": _members("dict", _DICT, _DICT_CHANGES),
    "set": _members("set", _SET, _SET_CHANGES),
    "int": _members("int", _INT),
    "float": _members("float", _FLOAT),
    "bool": _members("bool", _BOOL),
    "words": _members("words", _WORDS, _WORDS_CHANGES, type_name="list"),
}

SEEDS: list[Member] = [member for kind, members in MEMBERS.items() if kind != "words" for member in members]
