"""A program: source text and one call to evaluate in it, with a content identity."""

from __future__ import annotations

import ast
import hashlib
import json
from dataclasses import dataclass
from functools import cached_property


def content_id(*parts: object) -> str:
    """32 hex digits that stand for the JSON value `parts` (SHA-256, cut to 128 bits)."""
    text = json.dumps(parts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


@dataclass(frozen=True)
class Program:
    """Module text and an expression evaluated in that module's namespace.

    `origin` (a path and line, or the synthesiser's seed) and `level` (1–6 where the program was
    synthesised under constraints, ExecVerify §3.2) describe it and are no part of its identity.
    """

    source: str
    call: str
    origin: str = ""
    level: int | None = None

    @cached_property
    def program_id(self) -> str:
        """Identity of source and call together: one example."""
        return content_id("program", self.source, self.call)

    @cached_property
    def source_id(self) -> str:
        """Identity of the source alone: what intervals are clustered by and splits keep together."""
        return content_id("source", self.source)

    @cached_property
    def call_parts(self) -> tuple[str, str] | None:
        """`("f", "3, b=[1]")` for the call `f(3, b=[1])`; None where the call is no plain call of a name."""
        try:
            node = ast.parse(self.call.strip(), mode="eval").body
        except (SyntaxError, ValueError):
            return None
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            return None
        name = node.func.id
        text = self.call.strip()
        inner = text[text.index("(", len(name)) + 1 : text.rindex(")")]
        return name, inner.strip()

    @property
    def entry_point(self) -> str | None:
        return self.call_parts[0] if self.call_parts else None

    @property
    def arguments(self) -> str | None:
        return self.call_parts[1] if self.call_parts else None
