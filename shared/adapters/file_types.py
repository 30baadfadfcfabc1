"""What a file is by its content. By magic numbers (`filetype`), and by what those do not tell: text
from web pages and scripts, office files with macros from those without.
"""

import re
from io import BytesIO
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import filetype

TEXT = "text/plain"
MACROS = "application/vnd.ms-office.vbaproject"
"""An office file that brings a program along."""
EICAR = "application/x-eicar-test"
"""What every virus scanner takes for a virus, to be tested with. https://www.eicar.org"""

_EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!"
_OPEN_XML = {
    "word/": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xl/": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "ppt/": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}
_ZIP_ENTRY = b"PK\x01\x02"
_MOST_ENTRIES = 10_000
"""Of an archive's directory. Python makes an object of each, and a file that is allowed to come has
room for half a million.
"""
_OPEN_DOCUMENT = re.compile(r"application/vnd\.oasis\.opendocument\.[a-z]+")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""Word, Excel and PowerPoint before 2007. Its directory names what is inside, in UTF-16."""
_OLE_MACROS = tuple(name.encode("utf-16-le") for name in ("_VBA_PROJECT", "\x01Ole10Native"))
_OPEN_XML_MACROS = ("vbaproject.bin", "/activex/", "xl/macrosheets/")
_OLE_KINDS = {
    "WordDocument": "application/msword",
    "Workbook": "application/vnd.ms-excel",
    "Book": "application/vnd.ms-excel",
    "PowerPoint Document": "application/vnd.ms-powerpoint",
}
_MARKUP = re.compile(rb"\s*<(?:!|\?|/?[a-z])", re.IGNORECASE)
_MARKUP_WITHIN = re.compile(rb"<(?:script|html|svg|iframe|object|embed|body|head)\b", re.IGNORECASE)
"""Whoever guesses by content, as old browsers do, looks at the beginning of a text for these."""
_LOOKED_AT = 4096
_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_SAME = {
    "audio/x-wav": "audio/wav",
    "audio/m4a": "audio/mp4",
    "video/x-m4v": "video/mp4",
    "image/x-canon-cr2": "image/tiff",
}
"""Names of one type."""
_BRANDS_OF_SOUND = {b"M4A ", b"M4B "}


def file_type(content: bytes) -> str | None:
    """The media type; None where it is nothing we know."""
    if content.lstrip().startswith(_EICAR):
        return EICAR
    if content.startswith(b"PK\x03\x04"):
        return _zipped(content)
    if content.startswith(_OLE):
        return _compound(content)
    if (found := _by_magic(content)) is not None:
        return found
    return _text(content)


def _by_magic(content: bytes) -> str | None:
    if content[4:8] == b"ftyp" and content[8:12] in _BRANDS_OF_SOUND:
        return "audio/mp4"
    if content[4:8] == b"ftyp" and content[8:11] == b"3gp":
        return "video/3gpp"
    kind = filetype.guess(content)
    if kind is None:
        return None
    return _SAME.get(kind.mime, str(kind.mime))


def _zipped(content: bytes) -> str:
    """Which office file; `application/zip` for every other archive."""
    if content.count(_ZIP_ENTRY) > _MOST_ENTRIES:
        return "application/zip"
    try:
        with ZipFile(BytesIO(content)) as archive:
            names = archive.namelist()
            if any(part in name.lower() for part in _OPEN_XML_MACROS for name in names):
                return MACROS
            first = archive.infolist()[0] if names[:1] == ["mimetype"] else None
            # OpenDocument stores it uncompressed (1.2, part 3, 3.3). What is compressed may unpack
            # to gigabytes, whatever size it states.
            if first and first.compress_type == ZIP_STORED and first.file_size < 100:
                told = archive.read(first).decode("ascii", "replace")
                scripts = any(name.startswith(("Basic/", "Scripts/")) for name in names)
                if _OPEN_DOCUMENT.fullmatch(told):
                    return MACROS if scripts else told
            if "[Content_Types].xml" in names:
                folders = {f"{name.partition('/')[0]}/" for name in names}
                kinds = (kind for folder, kind in _OPEN_XML.items() if folder in folders)
                return next(kinds, "application/zip")
    except (BadZipFile, NotImplementedError, RuntimeError, ValueError, OSError):
        # Broken, encrypted, or made to be read one way here and another elsewhere.
        return "application/zip"
    return "application/zip"


def _compound(content: bytes) -> str:
    if any(name in content for name in _OLE_MACROS):
        return MACROS
    kinds = (kind for name, kind in _OLE_KINDS.items() if name.encode("utf-16-le") in content)
    return next(kinds, "application/x-ole-storage")


def _text(content: bytes) -> str | None:
    """Plain text where nobody can take it for anything else."""
    beginning = content.removeprefix(b"\xef\xbb\xbf")
    if _MARKUP.match(beginning) or _MARKUP_WITHIN.search(beginning[:_LOOKED_AT]):
        return "text/html"
    if beginning.startswith(b"#!"):
        return "text/x-script"
    try:
        content.decode()
    except UnicodeDecodeError:
        return None
    return None if not content or _CONTROLS.search(content) else TEXT
