"""A text in a simpler form of the same length, so that what is found in it is found in the text."""

import unicodedata


class _OneForOne(dict[int, str]):
    """Letters, digits, spaces and dashes of any width and script in their plain form."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        plain = unicodedata.normalize("NFKC", character)
        if character.isdecimal():
            plain = str(unicodedata.decimal(character))
        elif unicodedata.category(character) in {"Zs", "Cf"}:
            plain = " "
        elif character in "‐‑‒–−﹣－":
            plain = "-"
        elif character == "’":
            plain = "'"
        self[code] = plain if len(plain) == 1 else character
        return self[code]


class _Folded(_OneForOne):
    """The same in lower case and without accents."""

    def __missing__(self, code: int) -> str:
        plain = super().__missing__(code)
        folded = unicodedata.normalize("NFD", plain.lower())[0]
        self[code] = folded
        return folded


_PLAIN = _OneForOne()
_FOLDED = _Folded()


def plain_letters(text: str) -> str:
    return text if text.isascii() else text.translate(_PLAIN)


def folded_letters(text: str) -> str:
    return text.lower() if text.isascii() else text.translate(_FOLDED)
