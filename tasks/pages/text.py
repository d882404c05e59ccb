"""Text that a model or a program wrote, made fit to show: visible, bounded, differences marked, source coloured."""

from __future__ import annotations

import re

from markupsafe import Markup, escape
from pygments.lexers import PythonLexer
from pygments.token import Comment, Keyword, Number, String, _TokenType

MAX_CHARS = 600
# What would be invisible or would change how the rest is shown: controls, directional overrides, lone surrogates.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_CLASSES: tuple[tuple[_TokenType, str], ...] = ((Keyword, "k"), (String, "s"), (Comment, "c"), (Number, "n"))


def visible(text: str, max_chars: int = MAX_CHARS) -> str:
    r"""The text with invisible characters written out (\x00, \u202e) and what exceeds `max_chars` cut."""
    text = text.replace("\r\n", "\n")
    cut = text if len(text) <= max_chars else text[:max_chars] + f"… ({len(text):,} characters)"
    return _UNSEEN.sub(lambda match: ascii(match.group())[1:-1], cut)


def marked(text: str, other: str) -> Markup:
    """The text with the part in <mark> that tells it from `other`: what is left without common beginning and end."""
    text, other = visible(text), visible(other)
    start = 0
    while start < min(len(text), len(other)) and text[start] == other[start]:
        start += 1
    end = 0
    while end < min(len(text), len(other)) - start and text[-1 - end] == other[-1 - end]:
        end += 1
    middle = text[start : len(text) - end]
    if not middle:
        return escape(text)
    return (
        escape(text[:start]) + Markup("<mark>") + escape(middle) + Markup("</mark>") + escape(text[len(text) - end :])
    )


def coloured_lines(source: str) -> list[Markup]:
    """The lines of a Python source, with keywords, strings, comments and numbers in spans of class k, s, c and n."""
    lines: list[Markup] = [Markup()]
    for token, value in PythonLexer(ensurenl=False, stripnl=False).get_tokens(visible(source, max_chars=20_000)):
        name = next((name for kind, name in _CLASSES if token in kind), None)
        for position, part in enumerate(value.split("\n")):
            if position:
                lines.append(Markup())
            if part:
                shown = escape(part)
                lines[-1] += Markup(f'<span class="{name}">{shown}</span>') if name else shown
    while len(lines) > 1 and not lines[-1]:
        lines.pop()
    return lines
