"""Words of a BVH file one by one, with the line that they stand in for messages."""

import math
from pathlib import Path
from typing import TextIO

from mv3d.errors import FormatError

# Characters; a hierarchy's lines are short, and a file without line ends must not be read as one.
_LONGEST_LINE = 10_000


class Tokens:
    """Reads a hierarchy word by word; leaves the file at the line after the last word read."""

    def __init__(self, file: TextIO, path: Path) -> None:
        self._file, self._path, self._line = file, path, 0
        self._words: list[str] = []

    def error(self, what: str) -> FormatError:
        """What is wrong, and where."""
        return FormatError(f"{self._path}: line {self._line}: {what}")

    def word(self) -> str:
        """The next word; braces are words of their own."""
        while not self._words:
            line = self._file.readline(_LONGEST_LINE)
            self._line += 1
            if not line:
                raise self.error("the file ends in the middle")
            if len(line) >= _LONGEST_LINE:
                raise self.error("a line of over 10,000 characters; this is no BVH file")
            self._words = line.replace("{", " { ").replace("}", " } ").replace("\ufeff", "").split()
        return self._words.pop(0)

    def expect(self, wanted: str) -> None:
        """Take the next word, which must be this one in any case."""
        word = self.word()
        # "Frames:" is at times written with a blank before its colon.
        if wanted.endswith(":") and word.lower() == wanted[:-1].lower():
            word += self.word()
        if word.lower() != wanted.lower():
            raise self.error(f"{word[:40]!r} where {wanted} was expected")

    def number(self) -> float:
        """The next word as a finite number."""
        word = self.word()
        try:
            value = float(word)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.error(f"{word[:40]!r} where a number was expected")
        return value

    def rest_of_line(self) -> str:
        """The words up to the end of the line or a brace: a name, which may hold blanks."""
        name: list[str] = []
        while self._words and self._words[0] != "{":
            name.append(self._words.pop(0))
        return " ".join(name)
