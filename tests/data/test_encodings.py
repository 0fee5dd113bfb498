"""Encodings found out, repaired and refused."""

import codecs

import pytest

from fathometer.data.encodings import decode
from fathometer.errors import UnknownName, UnreadableData

FRENCH = "prénom,âge,ville\nÉlodie,30,Besançon\nFrançois,22,Nîmes\n"
RUSSIAN = "имя,возраст,город\nИван,30,Москва\nМария,25,Казань\nСергей,41,Омск\n" * 5
POLISH = "imię,miasto\nŁukasz,Łódź\nŻaneta,Kraków\nświętokrzyskie,jaźń\nproszę bardzo,dziękuję\n" * 5
CHINESE = "姓名,年龄,城市\n张三,30,北京\n李四,22,上海\n王小明,41,广州\n" * 5
JAPANESE = "名前,年齢,都市\n田中さん,30,東京\nたろう,22,大阪\n" * 5


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (FRENCH, "utf-8"),
        (FRENCH, "utf-8-sig"),
        (FRENCH, "utf-16"),
        (FRENCH, "utf-16-le"),
        (FRENCH, "utf-16-be"),
        (FRENCH, "utf-32"),
        (FRENCH, "cp1252"),
        (RUSSIAN, "cp1251"),
        (POLISH, "cp1250"),
        (CHINESE, "gb18030"),
        (JAPANESE, "shift_jis"),
    ],
)
def test_text_comes_back_from_every_encoding(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)).data.decode() == text


def test_plain_text_needs_no_note() -> None:
    assert decode(b"a,b\n1,2\n").notes == ()


def test_a_guessed_encoding_is_said() -> None:
    found = decode(FRENCH.encode("cp1252"))
    assert found.encoding == "cp1252"
    assert any("cp1252" in note for note in found.notes)


def test_a_given_encoding_is_taken() -> None:
    assert decode("é".encode("latin-1") * 3, "latin-1").data.decode() == "ééé"


def test_an_unknown_encoding_is_named() -> None:
    with pytest.raises(UnknownName, match="utf-9"):
        decode(b"a", "utf-9")


def test_a_codec_that_is_no_encoding_is_refused() -> None:
    with pytest.raises(UnknownName):
        decode(b"a", "rot13")


def test_a_wrong_encoding_is_refused() -> None:
    with pytest.raises(UnreadableData, match="utf-8"):
        decode(b"\xff\xfe\xfa", "utf-8")


def test_stray_windows_bytes_in_utf8_are_kept() -> None:
    raw = (FRENCH * 10).encode() + "café".encode("cp1252")
    found = decode(raw)
    assert found.encoding == "utf-8"
    assert found.data.decode().endswith("café")
    assert "1 byte" in found.notes[0]


def test_windows_punctuation_in_disguise_is_put_right() -> None:
    found = decode("pension \x96 compensation".encode())
    assert found.data.decode() == "pension – compensation"


def test_null_characters_are_removed_and_said() -> None:
    found = decode(b"a,b\n1,\x002\n" * 30)
    assert b"\0" not in found.data
    assert "30 NUL characters" in found.notes[0]


def test_binary_data_is_refused() -> None:
    with pytest.raises(UnreadableData, match="binary"):
        decode(bytes(range(256)) * 10)


def test_only_the_mark_is_taken_off() -> None:
    assert decode(codecs.BOM_UTF8 + b"a").data == b"a"
