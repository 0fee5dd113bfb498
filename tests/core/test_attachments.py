"""Attached files give their bytes, or say in a clause why not."""

from __future__ import annotations

import zipfile

import pytest

from fathometer.core.attachments import Attachment, UnreadableAttachmentError


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a/one.txt", "hello")
        packed.writestr("a/zeros.bin", bytes(1_000_000))
    return path


def test_a_file_and_a_member_give_their_bytes(tmp_path, archive):
    (tmp_path / "one.txt").write_text("hello")
    assert Attachment(tmp_path / "one.txt").read() == b"hello"
    assert Attachment(archive, "a/one.txt").read() == b"hello"
    assert Attachment(archive, "a/one.txt").name == str(Attachment(archive, "a/one.txt")) == "a/one.txt"


def test_more_than_the_limit_is_refused_without_unpacking_it(archive):
    with pytest.raises(UnreadableAttachmentError, match="larger than"):
        Attachment(archive, "a/zeros.bin").read(limit=1000)


def test_what_is_not_there_is_said(tmp_path, archive):
    for gone in (Attachment(tmp_path / "gone.jpg"), Attachment(archive, "gone.jpg")):
        with pytest.raises(UnreadableAttachmentError):
            gone.read()


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(UnreadableAttachmentError):
        Attachment(tmp_path).read()


def test_a_damaged_member_is_said(tmp_path, archive):
    raw = bytearray(archive.read_bytes())
    raw[60:80] = bytes(20)  # within the first members' data
    broken = tmp_path / "broken.zip"
    broken.write_bytes(raw)
    for member in ("a/one.txt", "a/zeros.bin"):
        try:
            Attachment(broken, member).read()
        except UnreadableAttachmentError:
            break
    else:
        pytest.fail("no member was found to be damaged")
