"""A Python source file: its text as the interpreter would read it, and the bytes to write it back."""

from __future__ import annotations

import io
import tokenize
from dataclasses import dataclass
from pathlib import Path


class SourceFileError(ValueError):
    """A file that is no Python source text; the message says which, and where it goes wrong."""


@dataclass(frozen=True)
class SourceFile:
    """`text` with its line ends as they are; `encoding` is the one that the file declares (PEP 263), or UTF-8."""

    path: Path
    text: str
    encoding: str

    def encoded(self, text: str) -> bytes:
        """Another text, such as the anchored one, as this file would hold it, byte order mark included."""
        return text.encode(self.encoding, "backslashreplace")

    def parse_error(self, error: SyntaxError | ValueError) -> SourceFileError:
        """What to tell a person about text that does not parse."""
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        return SourceFileError(f"{self.path}{line}: {getattr(error, 'msg', None) or error}")


def read_source(path: Path) -> SourceFile:
    """Raises SourceFileError for bytes that are no text in the declared encoding, OSError where it cannot be read."""
    data = path.read_bytes()
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return SourceFile(path, data.decode(encoding), encoding)
    except SyntaxError as error:
        raise SourceFileError(f"{path}: {error.msg}") from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SourceFileError(
            f"{path}, line {line}: byte {data[error.start]:#04x} is no {error.encoding} text;"
            " another encoding is declared in the first line, as in `# -*- coding: latin-1 -*-`"
        ) from None
