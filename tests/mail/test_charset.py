"""Charsets: M8."""

import pytest

from postroad.mail.charset import codec_of, decode


@pytest.mark.parametrize(
    ("payload", "label", "text"),
    [
        pytest.param("é".encode(), "", "é", id="undeclared is UTF-8"),
        pytest.param("é".encode(), "us-ascii", "é", id="us-ascii that is UTF-8"),
        pytest.param("caf\xe9".encode("latin-1"), "", "café", id="undeclared and no UTF-8: Latin"),
        pytest.param("ééé".encode() + b"\xc3", "", "ééé\ufffd", id="UTF-8 cut short stays UTF-8"),
        pytest.param("שלום".encode("iso8859_8"), "iso-8859-8-i", "שלום", id="iso-8859-8-i"),
        pytest.param("שלום".encode("iso8859_8"), "ISO-8859-8-E", "שלום", id="iso-8859-8-e"),
        pytest.param("ไทย".encode("cp874"), "windows-874", "ไทย", id="windows-874"),
        pytest.param("é".encode("latin-1"), '"ISO-8859-1"', "é", id="quotes and case"),
        pytest.param("é".encode("cp1252"), "windows-1252 (Western)", "é", id="a comment behind"),
        pytest.param("é".encode(), "fakescii-7", "é", id="unknown falls back"),
        pytest.param(b"a\xffb", "utf-8", "a\ufffdb", id="what cannot be read is replaced"),
        pytest.param("日本".encode("iso2022_jp"), "iso-2022-jp", "日本", id="iso-2022-jp"),
        pytest.param("你".encode("gbk"), "gb2312", "你", id="gb2312 as it is sent"),
        pytest.param("“a”".encode("cp1252"), "iso-8859-1", "“a”", id="Windows quotes under a Latin label"),
        pytest.param("é".encode("utf-8-sig"), "utf-8", "é", id="a byte order mark is no text"),
        pytest.param("é".encode("utf-16"), "", "é", id="undeclared UTF-16 by its byte order mark"),
        pytest.param("한".encode("cp949"), "ks_c_5601-1987", "한", id="Korean as it is sent"),
        pytest.param("①".encode("cp932"), "Shift_JIS", "①", id="Japanese as Windows sends it"),
        pytest.param("ж".encode("cp1251"), "win-1251", "ж", id="a nickname of a code page"),
        pytest.param("é".encode("latin-1"), "iso8859_1", "é", id="a nickname of Latin"),
        pytest.param("ж".encode("mac_cyrillic"), "x-mac-cyrillic", "ж", id="a charset of old Macs"),
        pytest.param(b"a+2AA-b", "utf-7", "a\ufffdb", id="half a character of UTF-7"),
        pytest.param(b"abc", "zlib", "abc", id="a codec that is no charset"),
        pytest.param(b"abc", "unicode_escape", "abc", id="a charset of Python alone"),
        pytest.param(b"abc", "utf-8\0" * 50, "abc", id="a label with NULs"),
    ],
)
def test_decodes(payload: bytes, label: str, text: str) -> None:
    assert decode(payload, label) == text


def test_quadratic_and_foreign_codecs_are_not_used() -> None:
    assert {codec_of(label) for label in ("punycode", "idna", "rot13", "base64", "undefined", "nope", "../x", "")} == {
        ""
    }
