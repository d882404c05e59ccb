"""The terminal: what a command prints on, and how it ends with a message."""

from __future__ import annotations

from typing import NoReturn

import typer
from rich.console import Console

out = Console(soft_wrap=True)
if not out.is_terminal:
    out.width = 120


def fail(message: str) -> NoReturn:
    """End the command with this message and exit status 1."""
    Console(stderr=True, soft_wrap=True).print(f"error: {message}", style="bold red", highlight=False, markup=False)
    raise typer.Exit(1) from None
