"""Words on a terminal: color where it is wanted, plain text where it is not, and a bar for what takes long."""

from __future__ import annotations

import os
import shutil
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO

STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36"}
WIDEST, NARROWEST = 100, 24


@dataclass(frozen=True)
class Terminal:
    """Where words are written: a stream, whether it takes color and lines can be redrawn, its width."""

    stream: TextIO
    color: bool = False
    live: bool = False
    width: int = 80

    @classmethod
    def of(cls, stream: TextIO, environ: Mapping[str, str] | None = None) -> Terminal:
        """Look at the stream and the environment (``NO_COLOR``, ``TERM``, ``COLUMNS``) once."""
        settings = os.environ if environ is None else environ
        live = stream.isatty() and settings.get("TERM") != "dumb"
        columns = shutil.get_terminal_size((80, 24)).columns if live else 80
        return cls(stream, live and not settings.get("NO_COLOR"), live, max(NARROWEST, min(WIDEST, columns - 1)))

    def styled(self, words: str, *styles: str) -> str:
        """Return the words with color codes, or as they are where color is not wanted or none is given."""
        if not (self.color and styles):
            return words
        return f"\x1b[{';'.join(STYLES[style] for style in styles)}m{words}\x1b[0m"

    def write(self, words: str = "", end: str = "\n") -> None:
        """Write at once; characters that the stream cannot carry become question marks."""
        encoding = self.stream.encoding or "utf-8"
        self.stream.write((words + end).encode(encoding, "replace").decode(encoding))
        self.stream.flush()

    def carries(self, words: str) -> bool:
        """Tell whether the stream's encoding has all these characters."""
        encoding = self.stream.encoding or "utf-8"
        return words.encode(encoding, "replace").decode(encoding) == words

    def heading(self, number: int, title: str) -> None:
        """Write the title of a section."""
        self.write()
        self.write(self.styled(f"{number}. {title}", "bold", "cyan"))
        self.write()

    def paragraph(self, words: str, *styles: str, indent: int = 0, hang: int = 0) -> None:
        """Write text broken at the width; lines after the first hang further in."""
        for line in self.broken(words, indent, hang):
            self.write(self.styled(line, *styles))

    def broken(self, words: str, indent: int = 0, hang: int = 0) -> list[str]:
        """Return the text as lines that fit the width."""
        return textwrap.wrap(words, self.width, initial_indent=" " * indent, break_on_hyphens=False,
                             subsequent_indent=" " * (indent + hang)) or [""]  # fmt: skip

    def code(self, words: str, *styles: str) -> None:
        """Write a formula, set in."""
        self.paragraph(words, *styles, indent=4, hang=4)

    def facts(self, rows: Iterable[Sequence[str]], *styles: str) -> None:
        """Write names and values in two columns."""
        table = [tuple(row) for row in rows]
        left = min(max((len(name) for name, _ in table), default=0), self.width // 2)
        for name, value in table:
            self.fact(name, value, left, *styles)

    def fact(self, name: str, value: str, left: int, *styles: str, name_style: str = "dim") -> None:
        """Write a name and its value beside it, in as many lines as it takes."""
        first, *rest = self.broken(value, 4 + left + 2)
        self.write(f"    {self.styled(name.ljust(left), name_style)}  {self.styled(first.strip(), *styles)}")
        for line in rest:
            self.write(self.styled(line, *styles))

    def bar(self, done: int, total: int, words: str) -> None:
        """Redraw the progress bar in place; nothing where a line cannot be redrawn."""
        if not self.live:
            return
        room = max(8, min(40, self.width - len(words) - 10))
        full, empty = ("█", "░") if self.carries("█░") else ("#", "-")
        filled = room * done // total
        bar = self.styled(full * filled, "green") + self.styled(empty * (room - filled), "dim")
        self.write(f"\r\x1b[2K    {bar} {100 * done // total:3d}% {words[: self.width - room - 10]}", end="")

    def clear(self) -> None:
        """Take the progress bar away."""
        if self.live:
            self.write("\r\x1b[2K", end="")
