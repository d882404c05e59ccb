"""Processes of this machine as psutil sees them, where any of them may end at any moment."""

from __future__ import annotations

import psutil


def is_running(process: psutil.Process) -> bool:
    """Whether it is there; one that has ended and that nobody has waited for is not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def descendants(process: psutil.Process) -> list[psutil.Process]:
    """All processes below this one, parents before their children, the ended that nobody has waited for among them;
    none where it is gone itself, whoever has its number by now."""
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def command_line(process: psutil.Process) -> str:
    """What it was started with, or calls itself by now, as one line; nothing where it is gone."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""
