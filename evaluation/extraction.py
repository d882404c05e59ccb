"""Extraction: the program in a chat response, as the published scorers cut it out and as we do.

Sources: evalplus/evalplus, evalplus/sanitize.py: the longest block of lines that parses, then what its entry point
reaches (they read it with tree-sitter, this with `ast`); LiveCodeBench/LiveCodeBench, lcb_runner/utils/
extraction_utils.py: what stands between the last two lines with backticks. Nothing is run here.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Sequence

_FENCE = re.compile(r"^[ \t]*```[^\n`]*\n(.*?)(?:^[ \t]*```|\Z)", re.DOTALL | re.MULTILINE)
MAX_LINES = 5_000  # a longer response is cut before its longest program is looked for


def evalplus_program(text: str, entry_point: str) -> str:
    """EvalPlus's program: of the longest block, the imports and what the entry point reaches. Its quirks stay: a
    function without `return` and a decorated one are dropped, and of two definitions of a name the later one."""
    block = longest_block(text)
    tree = _parsed(block)
    if tree is None:
        return ""
    imports = [one for one in tree.body if isinstance(one, ast.Import | ast.ImportFrom)]
    definitions: dict[str, ast.stmt] = {}
    for one in tree.body:
        name = _defined_name(one)
        if name is not None and name not in definitions:
            definitions[name] = one
    waiting, reached = [entry_point], {entry_point}
    while waiting:
        one = definitions.get(waiting.pop())  # type: ignore[assignment]
        for name in _names(one) if one is not None else ():
            if name not in reached:
                reached.add(name)
                waiting.append(name)
    kept = [*imports, *(node for name, node in definitions.items() if name in reached)]
    return "\n".join(_segment(block, node) for node in kept)


def longest_block(text: str) -> str:
    """The longest run of at least two lines that parses (blank lines don't count; the first of equals), or the first
    line. What upstream finds by trying all pairs of lines: a parser that fails at a line fails on every longer block
    from the same start, so each start needs few tries."""
    lines = text.split("\n")[:MAX_LINES]
    filled = [0]
    for line in lines:
        filled.append(filled[-1] + bool(line.strip()))
    best, first, last = 0, 0, 0
    for start in range(len(lines)):
        if filled[-1] - filled[start] <= best:
            break
        end = _longest_from(lines, start, filled, best)
        if end is not None:
            best, first, last = filled[end + 1] - filled[start], start, end
    return "\n".join(lines[first : last + 1])


def _longest_from(lines: Sequence[str], start: int, filled: Sequence[int], best: int) -> int | None:
    """The last line of the longest block from `start` that has more than `best` filled lines; None without any."""
    end = len(lines) - 1
    while end > start and filled[end + 1] - filled[start] > best:
        failed_at = _fails_at("\n".join(lines[start : end + 1]))
        if failed_at is None:
            # trailing blank lines make no block longer, so the shortest of equals is taken, as upstream does
            while end > start + 1 and not lines[end].strip() and _fails_at("\n".join(lines[start:end])) is None:
                end -= 1
            return end
        end = min(end - 1, start + failed_at - 1)
    return None


def _fails_at(source: str) -> int | None:
    """0-based line of the first syntax error, None where there is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(source)
    except SyntaxError as error:
        return max((error.lineno or 1) - 1, 0)
    except (ValueError, MemoryError, RecursionError):
        return source.count("\n")
    return None


def _parsed(source: str) -> ast.Module | None:
    return ast.parse(source) if _fails_at(source) is None else None


def _defined_name(node: ast.stmt) -> str | None:
    """The name that a top-level statement defines for EvalPlus, None for what it leaves out."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        if node.decorator_list or not any(isinstance(one, ast.Return) for one in ast.walk(node)):
            return None
        return node.name
    if isinstance(node, ast.ClassDef):
        return None if node.decorator_list else node.name
    target: ast.expr | None = None
    if isinstance(node, ast.Assign):
        target = node.targets[0]
    elif isinstance(node, ast.AnnAssign):
        target = node.target
    return target.id if isinstance(target, ast.Name) else None


def _names(node: ast.AST) -> Iterator[str]:
    """All identifiers in a statement."""
    for one in ast.walk(node):
        for field in ("id", "attr", "arg", "name", "asname"):
            value = getattr(one, field, None)
            if isinstance(value, str):
                yield value


def _segment(source: str, node: ast.stmt) -> str:
    return ast.get_source_segment(source, node) or ast.unparse(node)


def livecodebench_program(text: str) -> str:
    """What stands between the last two lines that contain three backticks; "" where there are not two."""
    lines = text.split("\n")
    fences = [place for place, line in enumerate(lines) if "```" in line]
    if len(fences) < 2:
        return ""
    return "\n".join(lines[fences[-2] + 1 : fences[-1]])


def strict_program(text: str, entry_point: str | None = None) -> str:
    """The last fenced block that parses, and defines the entry point where one is given; without any the whole text,
    where it is such a program; else "". What was thought before `</think>` is passed over, and nothing is dropped."""
    said = text.rpartition("</think>")[2]
    blocks = [match[1] for match in _FENCE.finditer(said)]
    for block in [*reversed(blocks), said.strip("\n")]:
        tree = _parsed(block)
        if tree is not None and tree.body and (entry_point is None or entry_point in _all_defined(tree)):
            return block
    return ""


def _all_defined(tree: ast.Module) -> set[str]:
    names = {one.name for one in tree.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    return names | {name for one in tree.body if (name := _defined_name(one)) is not None}
