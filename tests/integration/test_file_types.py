"""A file is what its content says: nothing that runs passes for something that is shown."""

import struct
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.file_types import EICAR, MACROS, file_type
from tests.builders import policies

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR" + bytes(17)
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
TEXT_OF_OPEN_DOCUMENT = "application/vnd.oasis.opendocument.text"
VIRUS = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


def zipped(**parts: str) -> bytes:
    """`word__document_xml` is the part `word/document.xml`."""
    file = BytesIO()
    with ZipFile(file, "w") as archive:
        for name, content in parts.items():
            path = name.replace("__", "/").replace("_xml", ".xml").replace("_bin", ".bin")
            archive.writestr("[Content_Types].xml" if path == "types" else path, content)
    return file.getvalue()


def iso_media(brand: bytes) -> bytes:
    return struct.pack(">I", 24) + b"ftyp" + brand + bytes(4) + brand + b"isom" + bytes(40)


KEPT = {
    "png": (PNG, "image/png"),
    "jpeg": (b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(40), "image/jpeg"),
    "gif": (b"GIF89a" + bytes(40), "image/gif"),
    "webp": (b"RIFF\x24\x00\x00\x00WEBPVP8 " + bytes(40), "image/webp"),
    "voice of WhatsApp": (b"OggS\x00\x02" + bytes(22) + b"OpusHead" + bytes(40), "audio/ogg"),
    "amr": (b"#!AMR\n" + bytes(40), "audio/amr"),
    "mp3": (b"ID3\x04" + bytes(60), "audio/mpeg"),
    "wav": (b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(40), "audio/wav"),
    "m4a": (iso_media(b"M4A "), "audio/mp4"),
    "mp4": (iso_media(b"mp42"), "video/mp4"),
    "mp4 of iso": (iso_media(b"isom"), "video/mp4"),
    "3gp": (iso_media(b"3gp4"), "video/3gpp"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3" + bytes(40), "application/pdf"),
    "docx": (zipped(types="", word__document_xml="<w/>"), WORD),
    "xlsx": (zipped(types="", xl__workbook_xml="<x/>", xl__printer_bin="p"), EXCEL),
    "odt": (zipped(mimetype=TEXT_OF_OPEN_DOCUMENT, content_xml="<o/>"), TEXT_OF_OPEN_DOCUMENT),
    "doc": (OLE + "WordDocument".encode("utf-16-le"), "application/msword"),
    "xls": (OLE + "Workbook".encode("utf-16-le"), "application/vnd.ms-excel"),
    "text": ("Référence 4512\r\n\tcafé 😡".encode(), "text/plain"),
    "csv": (b"\xef\xbb\xbfname;price\r\na < b;3", "text/plain"),
    "card": (b"BEGIN:VCARD\r\nFN:Awa\r\nEND:VCARD\r\n", "text/plain"),
}
NOT_KEPT = {
    "program of Windows": b"MZ\x90\x00" + bytes(60),
    "program of Linux": b"\x7fELF\x02\x01\x01" + bytes(60),
    "script": b"#!/bin/sh\nrm -rf /\n",
    "web page": b"<!DOCTYPE html><html><script>alert(1)</script></html>",
    "web page behind blanks and a mark": b"\xef\xbb\xbf \r\n\t<HTML>hello",
    "web page behind words": b"dear customer\n<script>alert(1)</script>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "svg with a head": b'<?xml version="1.0"?><svg/>',
    "comment first": b"<!-- --><svg/>",
    "docx with macros": zipped(types="", word__document_xml="", word__vbaProject_bin="V"),
    "xlsx with macros of 1992": zipped(types="", xl__macrosheets__sheet1_xml="", xl__w_xml=""),
    "odt with macros": zipped(mimetype=TEXT_OF_OPEN_DOCUMENT, Basic__x_xml=""),
    "doc with macros": OLE + "WordDocument_VBA_PROJECT".encode("utf-16-le"),
    "zip": zipped(a="b"),
    "zip named docx": zipped(types="", a="b"),
    "broken zip": zipped(types="", word__document_xml="")[:60],
    "jar": zipped(META__MANIFEST="m"),
    "other compound": OLE,
    "rar": b"Rar!\x1a\x07\x00" + bytes(60),
    "gzip": b"\x1f\x8b\x08" + bytes(60),
    "rtf": b"{\\rtf1 " + bytes(60),
    "nothing": b"",
    "noise": bytes(range(128, 256)) * 4,
    "text with a NUL": b"hello\x00world",
    "eicar": VIRUS,
    "eicar behind blanks": b"\r\n" + VIRUS,
}


@pytest.mark.parametrize("name", KEPT)
def test_what_people_send_is_known_and_kept(name: str) -> None:
    content, type_ = KEPT[name]
    assert file_type(content) == type_
    assert type_ in policies().media.types


@pytest.mark.parametrize("name", NOT_KEPT)
def test_what_runs_or_hides_something_is_not(name: str) -> None:
    assert file_type(NOT_KEPT[name]) not in policies().media.types


def test_it_is_named_for_what_it_is() -> None:
    assert file_type(VIRUS) == EICAR
    assert file_type(NOT_KEPT["docx with macros"]) == MACROS
    assert file_type(NOT_KEPT["svg"]) == "text/html"


@given(
    content=st.binary(max_size=200)
    | st.sampled_from([*(one for one, _ in KEPT.values()), *NOT_KEPT.values()]),
    cut=st.integers(0, 400),
    more=st.binary(max_size=50),
)
def test_nothing_makes_it_fail(content: bytes, cut: int, more: bytes) -> None:
    found = file_type(content[:cut] + more)
    assert found is None or "/" in found


def test_what_would_unpack_to_gigabytes_is_not_unpacked() -> None:
    """An OpenDocument says what it is in a part that is stored as it is, and is read only so. One
    that states 39 bytes and unpacks to two gigabytes would end the function.
    """
    file = BytesIO()
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", TEXT_OF_OPEN_DOCUMENT)
    assert file_type(file.getvalue()) == "application/zip"


def test_an_archive_with_a_directory_of_thousands_is_no_document() -> None:
    """Python would take eight seconds for the longest one a message may bring."""
    document = zipped(types="", word__document_xml="<w/>")
    entry = b"PK\x01\x02" + bytes(42)
    assert file_type(document) == WORD
    assert file_type(entry.join([document[:60], *[b""] * 10_000, document[60:]])) != WORD
