"""Source files are read as the interpreter reads them, and written back as they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from execution.source_file import SourceFileError, read_source


@pytest.mark.parametrize(
    ("data", "text", "encoding"),
    [
        ("s = 'é'\n".encode(), "s = 'é'\n", "utf-8"),
        (
            "# -*- coding: latin-1 -*-\ns = 'é'\n".encode("latin-1"),
            "# -*- coding: latin-1 -*-\ns = 'é'\n",
            "iso-8859-1",
        ),
        (b"\xef\xbb\xbfx = 1\n", "x = 1\n", "utf-8-sig"),
        (b"x = 1\r\ny = 2\r\n", "x = 1\r\ny = 2\r\n", "utf-8"),
        (b"", "", "utf-8"),
    ],
)
def test_text_is_decoded_as_declared_and_encoded_back(tmp_path: Path, data: bytes, text: str, encoding: str) -> None:
    (tmp_path / "a.py").write_bytes(data)
    source = read_source(tmp_path / "a.py")
    assert (source.text, source.encoding) == (text, encoding)
    assert source.encoded(source.text) == data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"x = 1\ny = '\xe9'\n", "a.py, line 2: byte 0xe9 is no utf-8 text"),
        (b"# coding: no-such\nx = 1\n", "a.py: unknown encoding"),
        (b"\xff\xfe\x00", "a.py: invalid or missing encoding declaration"),
    ],
)
def test_what_is_no_text_is_told_with_its_place(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "a.py").write_bytes(data)
    with pytest.raises(SourceFileError, match=message):
        read_source(tmp_path / "a.py")


def test_a_parse_error_names_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\ny = [\n")
    source = read_source(tmp_path / "a.py")
    with pytest.raises(SyntaxError) as caught:
        compile(source.text, "<unknown>", "exec")
    assert str(source.parse_error(caught.value)) == f"{tmp_path / 'a.py'}, line 2: '[' was never closed"
