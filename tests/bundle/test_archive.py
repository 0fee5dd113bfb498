"""A model as one file: the same model, and nothing that is smuggled in is ever written."""

from __future__ import annotations

import gc
import gzip
import io
import os
import shutil
import stat
import struct
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from crafting import Ending, Piece, asked, pieces_of, put, refused, relist, small_model, zipped

from fathometer.bundle import Limits, open_bundle, pack_archive
from fathometer.errors import BadBundle, UserError

REGULAR = stat.S_IFREG | 0o644


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_model(tmp_path_factory.mktemp("archive"))


@pytest.fixture
def copied(model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(model, tmp_path / "model"))


@pytest.fixture
def unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where archives are unpacked; nothing may be left in it, nor appear beside it."""
    place = tmp_path / "inner" / "place"
    place.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    yield place
    gc.collect()
    assert list(place.iterdir()) == []
    assert [path.name for path in place.parent.iterdir()] == ["place"]


def write(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "crafted.fathom"
    path.write_bytes(content)
    return path


def answers_alike(path: Path, folder: Path) -> bool:
    with open_bundle(path) as bundle:
        return bundle.predict(asked()).equals(open_bundle(folder).predict(asked()))


def test_a_packed_model_answers_to_the_bit_as_the_folder(model: Path, tmp_path: Path, unpacked: Path) -> None:
    for ending in (".fathom", ".zip"):
        path = tmp_path / f"churn model{ending}"
        pack_archive(model, path)
        with open_bundle(path) as bundle:
            assert np.array_equal(
                bundle.predict(asked()).iloc[:, 1:], open_bundle(model).predict(asked()).iloc[:, 1:]
            )
            assert bundle.version == open_bundle(model).version
            assert bundle.name == "churn-model"
            assert str(path) in str(bundle.seal and bundle.seal.shown)


def test_equal_folders_give_equal_bytes(model: Path, tmp_path: Path) -> None:
    again = shutil.copytree(model, tmp_path / "again", copy_function=shutil.copyfile)
    for folder, name in ((model, "a.zip"), (again, "b.zip")):
        pack_archive(folder, tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        names = archive.namelist()
        assert names == sorted(names)
        assert archive.testzip() is None


def test_python_and_we_see_the_same_files(model: Path, tmp_path: Path, unpacked: Path) -> None:
    pack_archive(model, tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive, open_bundle(tmp_path / "a.zip") as bundle:
        for name in archive.namelist():
            assert (bundle.folder / name).read_bytes() == archive.read(name) == (model / name).read_bytes()


def test_an_honest_archive_of_any_maker_opens(model: Path, tmp_path: Path, unpacked: Path) -> None:
    assert answers_alike(write(tmp_path, zipped(pieces_of(model))), model)
    assert answers_alike(write(tmp_path, zipped([replace(one, method=8) for one in pieces_of(model)])), model)
    assert answers_alike(Path(shutil.make_archive(str(tmp_path / "made"), "zip", model)), model)


def test_an_archive_written_in_one_go_opens(model: Path, tmp_path: Path, unpacked: Path) -> None:
    class OneWay(io.RawIOBase):
        """As a pipe: sizes come after the data."""

        def __init__(self) -> None:
            self.got = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, part: bytes) -> int:  # type: ignore[override]
            self.got += bytes(part)
            return len(part)

    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        pipe = OneWay()
        with zipfile.ZipFile(pipe, "w", method) as archive:
            for one in pieces_of(model):
                archive.writestr(one.name.decode(), one.content)
        assert answers_alike(write(tmp_path, bytes(pipe.got)), model)
    ended = struct.Struct("<3L")
    pieces = [
        replace(
            one,
            flags=8,
            after=ended.pack(zlib.crc32(one.content), len(one.content), len(one.content)),
            local={"checksum": 0, "size": 0, "packed": 0},
        )
        for one in pieces_of(model)
    ]
    assert answers_alike(write(tmp_path, zipped(pieces)), model)


@pytest.mark.skipif(shutil.which("zip") is None, reason="there is no Info-ZIP here")
def test_an_archive_of_info_zip_opens(model: Path, tmp_path: Path, unpacked: Path) -> None:
    subprocess.run(["zip", "-q", "-r", str(tmp_path / "made.zip"), "."], cwd=model, check=True)
    assert answers_alike(tmp_path / "made.zip", model)


def test_sizes_in_their_long_form_are_read(model: Path, tmp_path: Path, unpacked: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for one in pieces_of(model):
            with archive.open(one.name.decode(), "w", force_zip64=True) as stream:
                stream.write(one.content)
    assert answers_alike(write(tmp_path, buffer.getvalue()), model)
    full = 0xFFFFFFFF
    pieces = [
        replace(
            one,
            size=full,
            packed=full,
            extra=struct.pack("<2H2Q", 1, 16, len(one.content), len(one.content)),
            local={"extra": struct.pack("<2H2Q", 1, 16, len(one.content), len(one.content))},
        )
        for one in pieces_of(model)
    ]
    assert answers_alike(write(tmp_path, zipped(pieces)), model)


def test_what_was_unpacked_is_private_and_goes(model: Path, tmp_path: Path, unpacked: Path) -> None:
    pack_archive(model, tmp_path / "a.fathom")
    bundle = open_bundle(tmp_path / "a.fathom")
    assert stat.S_IMODE(bundle.folder.stat().st_mode) == 0o700
    assert all(path.stat().st_mode & 0o077 == 0 for path in bundle.folder.rglob("*") if path.is_file())
    folder = bundle.folder
    bundle.close()
    assert not folder.exists()
    bundle.close()
    folder = open_bundle(tmp_path / "a.fathom").folder
    gc.collect()
    assert not folder.exists()


def test_a_closed_model_says_so(model: Path, tmp_path: Path, unpacked: Path) -> None:
    pack_archive(model, tmp_path / "a.fathom")
    bundle = open_bundle(tmp_path / "a.fathom")
    before = bundle.predict(asked(), "baseline")
    bundle.close()
    assert bundle.predict(asked(), "baseline").equals(before)
    with pytest.raises(UserError, match="was closed"):
        bundle.predict(asked(), "classical")


def test_what_was_unpacked_goes_when_the_program_ends(model: Path, tmp_path: Path) -> None:
    pack_archive(model, tmp_path / "a.fathom")
    place = tmp_path / "place"
    place.mkdir()
    program = (
        "import os, sys\n"
        "from fathometer.bundle import open_bundle\n"
        "bundle = open_bundle(sys.argv[1])\n"
        "if os.fork() == 0: sys.exit()\n"  # a child that ends takes nothing away
        "os.wait()\n"
        "assert (bundle.folder / 'model.json').exists()\n"
    )
    subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "a.fathom")],
        env={**os.environ, "TMPDIR": str(place), "OMP_NUM_THREADS": "1"},
        check=True,
    )
    assert list(place.iterdir()) == []


def test_packing_is_refused_where_it_makes_no_sense(copied: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="ends in"):
        pack_archive(copied, tmp_path / "a.tar")
    with pytest.raises(UserError, match="is a folder"):
        (tmp_path / "a.zip").mkdir()
        pack_archive(copied, tmp_path / "a.zip")
    with pytest.raises(UserError, match="no folder"):
        pack_archive(copied, tmp_path / "nowhere" / "a.zip")
    with pytest.raises(UserError, match="lies in"):
        pack_archive(copied, copied / "a.zip")
    (copied / "README.md").write_text("another")
    with pytest.raises(BadBundle, match="altered"):
        pack_archive(copied, tmp_path / "b.zip")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "model"]


def test_what_could_not_be_opened_is_not_packed(model: Path, tmp_path: Path, unpacked: Path) -> None:
    total = sum(path.stat().st_size for path in model.rglob("*") if path.is_file())
    with pytest.raises(UserError, match="Leave it a folder"):
        pack_archive(model, tmp_path / "a.zip", Limits(total_size=total - 1))
    pack_archive(model, tmp_path / "a.zip", Limits(total_size=total))
    with open_bundle(tmp_path / "a.zip", Limits(total_size=total)) as bundle:
        assert len(bundle.predict(asked())) == 5


def test_much_of_the_same_is_stored_and_opens(copied: Path, tmp_path: Path, unpacked: Path) -> None:
    put(copied, {"verdict.json": b'{"a": "' + b"0" * 12_000_000 + b'"}'})
    pack_archive(copied, tmp_path / "a.zip")
    assert answers_alike(tmp_path / "a.zip", copied)


# ---------------------------------------------------------------------------------------------------------------------
# what is refused

NAMES = [
    *("../evil.json", "..", ".", "a/../../evil.json", "members/../../evil.json", "/etc/cron.d/evil", "//evil", "///"),
    *("members//x.json", "./model.json", "members/./a.json", "members/a/..", "~/evil.json", "..\\evil.json"),
    *("members\\a\\model.json", "C:\\evil.json", "C:/evil.json", "c:evil.json", "\\\\server\\share\\evil.json"),
    *("model.json:stream", "evil.json\0.txt", "model\x01.json", "model\n.json", "model\x7f.json", "model\x85.json"),
    *("members/a/\u202egpj.json", "members/a/\u2066x.json", "members/a/\u200bx.json", "members/a/\ufeffx.json"),
    *("members/a/\u2028x.json", "members/a/\ue000x.json", "members/a/x.json.", "members/a/x.json "),
    *("members/a /x.json", "members/.x/x.json", "members/a-linear/.."),
    *("members/ a/x.json", "members/a./x.json", "CON", "con.json", "members/a/NUL.json", "members/aux/x.json"),
    *("members/a/COM1.json", "members/a/lpt9", "members/a/com\u00b9.json", "members/a/CONIN$", "members/a/PRN .json"),
    *("members/a/" + "x" * 200 + ".json", "members/a/b/c/d/e/f/g/x.json", "members/a/x?.json", 'members/a/"x".json'),
    *("members/a/<x>.json", "members/a/x|y.json", "members/a/*.json", "setup.py", "evil.json", ".hidden"),
    *("members/x.json", "encoders/abc/config.json", "members/a b/x.json", "__main__.py"),
    *("manifest.json/x.json", "model.json/x.json"),
    *("MODEL.JSON", "Model.json", "Members/a-linear/x.json", "members/A-linear/model.json", "manifest.JSON"),
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_name_that_could_lead_elsewhere_is_refused(
    model: Path, tmp_path: Path, unpacked: Path, name: str
) -> None:
    before = sorted(tmp_path.rglob("*"))
    evil = Piece(name.encode(), b"{}", flags=0x800)
    for pieces in ([*pieces_of(model), evil], [evil, *pieces_of(model)]):
        path = write(tmp_path, zipped(pieces))
        refused(path)
        path.unlink()
    assert sorted(tmp_path.rglob("*")) == before


def test_names_that_differ_in_composition_only_are_refused(
    model: Path, tmp_path: Path, unpacked: Path
) -> None:
    for one, other in [("é", "e\u0301"), ("ß", "SS"), ("ﬁ", "fi"), ("K", "\u212a"), ("É", "é")]:
        pieces = [Piece(f"members/a/{name}.json".encode(), b"{}", flags=0x800) for name in (one, other)]
        refused(write(tmp_path, zipped([*pieces_of(model), *pieces])), "same name")


def test_a_file_in_the_place_of_a_folder_is_refused(model: Path, tmp_path: Path, unpacked: Path) -> None:
    for names in (["members/a/x.json", "members/a/x.json/y.json"], ["members/a/x", "members/a/X/y.json"]):
        pieces = [Piece(name.encode(), b"{}") for name in names]
        for more in (pieces, pieces[::-1]):
            refused(write(tmp_path, zipped([*pieces_of(model), *more])), "as a file and as a folder")
    folders = [Piece(name, mode=stat.S_IFDIR | 0o755) for name in (b"members/", b"members/")]
    refused(write(tmp_path, zipped([*pieces_of(model), *folders])), "same name")
    refused(write(tmp_path, zipped([*pieces_of(model), replace(folders[0], name=b"Members/")])), "same name")
    assert answers_alike(write(tmp_path, zipped([*folders[:1], *pieces_of(model)])), model)


MODES = {
    "link": {"mode": stat.S_IFLNK | 0o777, "content": b"/etc/passwd"},
    "relative link": {"mode": stat.S_IFLNK | 0o777, "content": b"../../x"},
    "pipe": {"mode": stat.S_IFIFO | 0o644},
    "socket": {"mode": stat.S_IFSOCK | 0o644},
    "character device": {"mode": stat.S_IFCHR | 0o644},
    "block device": {"mode": stat.S_IFBLK | 0o644},
    "folder's mode": {"mode": stat.S_IFDIR | 0o755},
    "setuid": {"mode": REGULAR | stat.S_ISUID},
    "setgid": {"mode": REGULAR | stat.S_ISGID},
    "sticky": {"mode": REGULAR | stat.S_ISVTX},
    "unknown kind": {"mode": 0o170000},
    "dos folder": {"dos": 0x10},
    "dos label": {"dos": 0x08},
    "dos device": {"dos": 0x40},
    "windows link": {"dos": 0x400},
    "hard link": {"extra": struct.pack("<2H", 0x000D, 12 + 11) + bytes(12) + b"/etc/passwd"},
    "second name": {"extra": struct.pack("<2H", 0x7075, 14) + b"\x01" + bytes(4) + b"evil.json"},
}


@pytest.mark.parametrize("what", MODES)
def test_anything_but_a_plain_file_is_refused(model: Path, tmp_path: Path, unpacked: Path, what: str) -> None:
    for position in range(len(pieces_of(model))):
        pieces = pieces_of(model)
        pieces[position] = replace(pieces[position], **MODES[what])
        refused(write(tmp_path, zipped(pieces)), "link|device|mode|second name")


@pytest.mark.parametrize("bit", [0, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15])
def test_encryption_and_other_flags_are_refused(
    model: Path, tmp_path: Path, unpacked: Path, bit: int
) -> None:
    pieces = pieces_of(model)
    pieces[2] = replace(pieces[2], flags=1 << bit)
    refused(write(tmp_path, zipped(pieces)), "encrypted")


@pytest.mark.parametrize("method", [1, 6, 9, 10, 12, 14, 19, 93, 95, 96, 97, 98, 99, 65535])
def test_other_ways_of_packing_are_refused(model: Path, tmp_path: Path, unpacked: Path, method: int) -> None:
    pieces = pieces_of(model)
    pieces[0] = replace(pieces[0], method=method)
    refused(write(tmp_path, zipped(pieces)), "packed in a way")


def _with(position: int, **changes: object) -> Callable[[list[Piece]], bytes]:
    def make(pieces: list[Piece]) -> bytes:
        pieces[position] = replace(pieces[position], **changes)  # type: ignore[arg-type]
        return zipped(pieces)

    return make


def _ending(**changes: object) -> Callable[[list[Piece]], bytes]:
    return lambda pieces: zipped(pieces, Ending(**changes))  # type: ignore[arg-type]


def _twice(pieces: list[Piece]) -> bytes:
    return zipped([*pieces, replace(pieces[3], content=b'{"other": 1}')])


def _twice_same(pieces: list[Piece]) -> bytes:
    return zipped([*pieces, pieces[3]])


def _overlapping(pieces: list[Piece]) -> bytes:
    return zipped(
        [pieces[0], *pieces[1:], replace(pieces[0], name=b"members/a/z.json", start=0, is_written=False)]
    )


def _within(pieces: list[Piece]) -> bytes:
    inner = zipped([Piece(b"members/a/z.json", b"{}")])[: 30 + len(b"members/a/z.json") + 2]
    held = replace(pieces[0], content=inner)
    start = 30 + len(held.name)
    return zipped([held, *pieces[1:], Piece(b"members/a/z.json", b"{}", start=start, is_written=False)])


def _trailing_deflate(pieces: list[Piece]) -> bytes:
    piece = replace(pieces[1], method=8)
    pieces[1] = replace(piece, raw=piece.packed_bytes() + b"hidden")
    return zipped(pieces)


def _cut_deflate(pieces: list[Piece]) -> bytes:
    piece = replace(pieces[1], method=8)
    pieces[1] = replace(piece, raw=piece.packed_bytes()[:-2])
    return zipped(pieces)


def _long_end(**changes: int) -> Callable[[list[Piece]], bytes]:
    """An end in its long form that may lie."""

    def make(pieces: list[Piece]) -> bytes:
        plain = zipped(pieces)
        count, size, start = struct.unpack_from("<H2L", plain, len(plain) - 12)
        told = {
            "count": count,
            "size": size,
            "start": start,
            "length": 44,
            "place": len(plain) - 22,
            "disks": 1,
        }
        told |= changes
        numbers = (told["length"], 45, 45, 0, 0, told["count"], told["count"], told["size"], told["start"])
        long = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", *numbers)
        locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, told["place"], told["disks"])
        full = 0xFFFFFFFF
        short = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, told.get("short", full), full, 0)
        return plain[:-22] + long + locator + short

    return make


FULL = 0xFFFFFFFF
STRUCTURES: dict[str, Callable[[list[Piece]], bytes]] = {
    "something before": _ending(prefix=b"#!/bin/sh\n"),
    "another zip before": lambda pieces: zipped(pieces) + zipped(pieces),
    "something after": _ending(suffix=b"\0"),
    "a remark": _ending(remark=b"hello"),
    "a remark that is an end": _ending(remark=struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0, 0, 0, 0, 0)),
    "something before the end": _ending(before=b"hidden"),
    "something in the directory": _ending(within=b"hidden"),
    "something between files": _with(2, after=b"hidden"),
    "a false descriptor": _with(2, flags=8, after=b"PK\x07\x08" + bytes(12)),
    "a long descriptor": _with(2, flags=8, after=bytes(40)),
    "two files of a name": _twice,
    "a file twice": _twice_same,
    "one file's bytes under two names": _overlapping,
    "a file within a file": _within,
    "fewer than said": _ending(count=99, here=99),
    "more than said": _ending(count=2, here=2),
    "none said": _ending(count=0, here=0),
    "two counts": _ending(here=1),
    "directory too small": _ending(size=10),
    "directory too large": _ending(size=2_000_000),
    "directory elsewhere": _ending(start=0),
    "directory beyond the end": _ending(start=0x7FFFFFFF),
    "second disk": _ending(disk=1),
    "file on another disk": _with(0, disk=1),
    "start beyond the file": _with(0, start=0x7FFFFFFF),
    "start within": _with(1, start=3),
    "other name in front": _with(1, local={"name": b"other.json"}),
    "other flags in front": _with(1, local={"flags": 0x800}),
    "other method in front": _with(1, local={"method": 8}),
    "other checksum in front": _with(1, local={"checksum": 1}),
    "other size in front": _with(1, local={"size": 1}),
    "other packed size in front": _with(1, local={"packed": 1}),
    "no sizes in front": _with(1, local={"size": 0, "packed": 0, "checksum": 0}),
    "other magic in front": _with(1, local={"magic": b"PK\x03\x05"}),
    "further facts cut off in front": _with(1, local={"extra": b"\x01\x00\xff"}),
    "further facts cut off": _with(1, extra=b"\x01\x00\xff\xff"),
    "further facts twice": _with(1, extra=struct.pack("<4H", 9, 0, 9, 0)),
    "wrong checksum": _with(1, checksum=1),
    "size too small": _with(1, method=8, size=3),
    "size too large": _with(1, method=8, size=1 << 20),
    "stored with two sizes": _with(1, size=3),
    "packed size too small": _with(1, method=8, packed=3),
    "packed size too large": _with(1, packed=1 << 20, size=1 << 20),
    "long size missing": _with(1, size=FULL, packed=FULL),
    "long size that is not needed": _with(1, extra=struct.pack("<2HQ", 1, 8, 5)),
    "long size that is not needed in front": _with(1, local={"extra": struct.pack("<2H2Q", 1, 16, 5, 5)}),
    "long size of three": _with(1, size=FULL, packed=FULL, extra=struct.pack("<2H3Q", 1, 24, 1, 1, 1)),
    "long size cut": _with(1, size=FULL, packed=FULL, extra=struct.pack("<2HQL", 1, 12, 1, 1)),
    "long size without end": _with(
        1, size=FULL, packed=FULL, extra=struct.pack("<2H2Q", 1, 16, 1 << 63, 1 << 63)
    ),
    "long end elsewhere": _long_end(place=0),
    "long end on two disks": _long_end(disks=2),
    "long end of another length": _long_end(length=1000),
    "long end of another size": _long_end(size=7),
    "long end of another start": _long_end(start=1),
    "long end with other count": _long_end(count=1),
    "long end with very many": _long_end(count=1 << 40),
    "long end against the short": _long_end(short=7),
    "long end that is not there": _ending(count=0xFFFF, here=0xFFFF),
    "damaged packing": _with(1, method=8, raw=b"\xff\xff\xff\xff"),
    "something after what is packed": _trailing_deflate,
    "packing cut off": _cut_deflate,
    "folder with contents": lambda pieces: zipped(
        [*pieces, Piece(b"members/", b"hidden", mode=stat.S_IFDIR | 0o755, dos=0x10)]
    ),
    "file called as a folder": lambda pieces: zipped([*pieces, Piece(b"members/a/", b"")]),
    "name that is no UTF-8": lambda pieces: zipped([*pieces, Piece(b"\xff\xfe.json", b"{}", flags=0x800)]),
    "name of no known writing": lambda pieces: zipped([*pieces, Piece(b"\x84.json", b"{}")]),
    "empty name": lambda pieces: zipped([*pieces, Piece(b"", b"{}")]),
    "no files": lambda pieces: zipped([]),
    "no manifest": lambda pieces: zipped([one for one in pieces if one.name != b"manifest.json"]),
    "all in a folder": lambda pieces: zipped([replace(one, name=b"model/" + one.name) for one in pieces]),
    "one missing": lambda pieces: zipped(pieces[1:]),
    "one too many": lambda pieces: zipped([*pieces, Piece(b"members/a-linear/more.json", b"{}")]),
    "one altered": _with(0, content=b"# Another card\n"),
    "nothing": lambda pieces: b"",
    "only an end": lambda pieces: b"PK\x05\x06",
    "an old kind of archive": lambda pieces: gzip.compress(zipped(pieces)),
    "no archive": lambda pieces: b"\x80\x04cos\nsystem\n(S'true'\ntR.",
}


@pytest.mark.parametrize("what", STRUCTURES)
def test_an_archive_that_two_readers_may_see_differently_is_refused(
    model: Path, tmp_path: Path, unpacked: Path, what: str
) -> None:
    refused(write(tmp_path, STRUCTURES[what](pieces_of(model))))


def test_the_honest_long_end_opens(model: Path, tmp_path: Path, unpacked: Path) -> None:
    assert answers_alike(write(tmp_path, _long_end()(pieces_of(model))), model)


def test_an_archive_cut_anywhere_is_refused(model: Path, tmp_path: Path, unpacked: Path) -> None:
    whole = zipped(pieces_of(model))
    for place in [*range(0, len(whole), 97), len(whole) - 1]:
        refused(write(tmp_path, whole[:place]))


def test_a_tar_archive_is_refused(model: Path, tmp_path: Path, unpacked: Path) -> None:
    path = tmp_path / "model.fathom"
    with tarfile.open(path, "w") as archive:
        archive.add(model, arcname=".")
    refused(path, "no zip file")


def _bomb(content: bytes) -> Piece:
    return Piece(b"members/a-linear/bomb.json", content, method=8)


BOMBS: dict[str, Callable[[list[Piece]], bytes]] = {
    "by ratio": lambda pieces: zipped([*pieces, _bomb(b"[" + b" " * 30_000_000)]),
    "by ratio with a size that lies": lambda pieces: zipped(
        [*pieces, replace(_bomb(b"[" + b" " * 30_000_000), size=100)]
    ),
    "by the sizes": lambda pieces: zipped([*pieces, replace(_bomb(b"[]"), size=0xFFFFFFF0)]),
    "by all sizes together": lambda pieces: zipped(
        [*pieces, *(Piece(f"members/a/{k}.txt".encode(), b"x", method=8, size=1 << 30) for k in range(8))]
    ),
    "by count": lambda pieces: zipped(
        [*pieces, *(Piece(f"members/a/{k}.txt".encode()) for k in range(6_000))]
    ),
    "by folders": lambda pieces: zipped(
        [*pieces, *(Piece(f"members/{k}/".encode(), mode=stat.S_IFDIR | 0o755) for k in range(12_000))]
    ),
    "by overlap": lambda pieces: zipped(
        [
            _bomb(b"[" + b" " * 1_000_000),
            *(replace(_bomb(b"[" + b" " * 1_000_000), start=0, is_written=False) for _ in range(900)),
            *pieces,
        ]
    ),
}


@pytest.mark.parametrize("what", BOMBS)
def test_a_bomb_is_refused(model: Path, tmp_path: Path, unpacked: Path, what: str) -> None:
    refused(
        write(tmp_path, BOMBS[what](pieces_of(model))),
        "bomb|at most|more than|not where|over another|two ways",
    )


def test_limits_hold_to_the_byte(model: Path, tmp_path: Path, unpacked: Path) -> None:
    path = write(tmp_path, zipped(pieces_of(model)))
    total = sum(len(one.content) for one in pieces_of(model))
    with open_bundle(path, Limits(total_size=total, files=len(pieces_of(model)))) as bundle:
        bundle.predict(asked())
    refused(path, "at most", Limits(total_size=total - 1))
    refused(path, "more than", Limits(files=len(pieces_of(model)) - 1))
    refused(path, "of JSON", Limits(json_size=100))
    refused(path, "larger than", Limits(manifest_size=100))


def _tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("x"))
    return buffer.getvalue()


PICKLES = (
    b"\x80\x04\x95\x1a\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x02id\x94\x85\x94R\x94.",
)
FOREIGN = {
    "pickle": ("model.pkl", PICKLES[0]),
    "old pickle": ("model.pickle", b"cos\nsystem\n(S'id'\ntR."),
    "torch": ("model.pt", zipped([Piece(b"archive/data.pkl", PICKLES[0])])),
    "torch weights": ("pytorch_model.bin", PICKLES[0]),
    "joblib": ("model.joblib", PICKLES[0]),
    "numpy": ("weights.npy", b"\x93NUMPY\x01\0v\0{'descr': '|O'}" + PICKLES[0]),
    "numpy archive": ("weights.npz", zipped([Piece(b"a.npy", b"\x93NUMPY")])),
    "keras": ("model.keras", zipped([Piece(b"config.json", b"{}")])),
    "hdf5": ("model.h5", b"\x89HDF\r\n\x1a\n" + bytes(100)),
    "a program": ("model.so", b"\x7fELF" + bytes(100)),
    "python": ("model.py", b"import os"),
    "compiled python": ("model.pyc", bytes(100)),
    "a path for python": ("site.pth", b"import os"),
    "a wheel": ("model.whl", zipped([Piece(b"x.py", b"")])),
    "zip": ("more.zip", zipped([Piece(b"x", b"")])),
    "model in a model": ("more.fathom", zipped([Piece(b"x", b"")])),
    "gzip": ("more.gz", gzip.compress(b"{}")),
    "tar": ("more.tar", _tar()),
    "pickle called json": ("more.json", PICKLES[0]),
    "pickle called safetensors": ("more.safetensors", PICKLES[0]),
    "pickle called text": ("more.txt", PICKLES[0]),
    "pickle called catboost": ("more.cbm", PICKLES[0]),
    "pickle called onnx": ("more.onnx", PICKLES[0]),
    "onnxruntime's own format called onnx": ("more.onnx", b"\x08\x80\x01\x00ORTM" + bytes(100)),
    "zip called json": ("more.json", zipped([Piece(b"x", b"")])),
    "zip called text": ("more.txt", zipped([Piece(b"x", b"")])),
    "tar called text": ("more.txt", _tar()),
    "gzip called safetensors": ("more.safetensors", gzip.compress(b"{}")),
    "nothing called safetensors": ("more.safetensors", b""),
    "nothing called json": ("more.json", b""),
    "no ending": ("more", PICKLES[0]),
    "odd ending": ("more.JSON5", b"{}"),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_what_is_no_data_is_refused_though_the_manifest_lists_it(
    copied: Path, tmp_path: Path, unpacked: Path, what: str
) -> None:
    name, content = FOREIGN[what]
    put(copied, {f"members/a-linear/{name}": content})
    refused(copied, "refused")
    refused(write(tmp_path, zipped(pieces_of(copied))), "refused")


def test_a_link_in_the_place_of_an_archive_is_followed_as_the_user_said(
    model: Path, tmp_path: Path, unpacked: Path
) -> None:
    pack_archive(model, tmp_path / "a.zip")
    (tmp_path / "latest.fathom").symlink_to(tmp_path / "a.zip")
    with open_bundle(tmp_path / "latest.fathom") as bundle:
        assert bundle.name == "latest"
        assert len(bundle.predict(asked())) == 5


def test_a_model_beside_that_was_relisted_still_opens(copied: Path) -> None:
    relist(copied)
    assert len(open_bundle(copied).predict(asked())) == 5
