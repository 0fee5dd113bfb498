"""Manifest and description are read strictly: every key, every type, every name; whatever else is refused."""

from __future__ import annotations

import copy
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from crafting import asked, describe, manifest_of, put, refused, relist, small_model

from fathometer.bundle import Limits, open_bundle
from fathometer.bundle.described import MOST_COLUMNS, described
from fathometer.bundle.manifest import make_manifest
from fathometer.core.strict_json import DEEPEST, MOST_OBJECTS, MOST_VALUES
from fathometer.errors import BadBundle, UserError

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 10**30, "", "os.system", "../x", [], {}, [[]], [{}], {"a": 1}),
    *([None], "\u202e", "a\0b", "x" * 100_000),
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_model(tmp_path_factory.mktemp("manifest"))


@pytest.fixture
def copied(model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(model, tmp_path / "model"))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value, the whole of it first."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inside in items:
        yield from places(inside, (*path, key))


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """The value with another at this place."""
    if not path:
        return new
    value = copy.copy(value)
    value[path[0]] = changed(value[path[0]], path[1:], new)
    return value


def without(value: Any, path: tuple[Any, ...]) -> Any:
    """The value without what is at this place."""
    value = copy.deepcopy(value)
    inside = value
    for key in path[:-1]:
        inside = inside[key]
    del inside[path[-1]]
    return value


def opened_or_refused(folder: Path) -> bool:
    """Whether it opens and answers; refused otherwise, in a line."""
    try:
        bundle = open_bundle(folder)
        bundle.predict(asked())
    except UserError as error:
        assert "\n" not in str(error)
        return False
    return True


def test_the_manifest_says_what_the_folder_holds(model: Path) -> None:
    manifest = json.loads((model / "manifest.json").read_text())
    assert set(manifest) == {"format", "made_by", "created", "total_size", "files"}
    assert manifest["format"] == 2
    roles = {one["path"]: one["role"] for one in manifest["files"]}
    assert roles["model.json"] == "description"
    assert roles["README.md"] == "card"
    assert roles["reference.json"] == "reference"
    assert roles["members/a-linear/model.json"] == "member"
    assert sorted(roles) == list(roles)
    assert manifest["total_size"] == sum(
        path.stat().st_size for path in model.rglob("*") if path.is_file()
    ) - ((model / "manifest.json").stat().st_size)


def test_what_goes_with_a_model_is_read_when_asked(model: Path) -> None:
    bundle = open_bundle(model)
    assert bundle.reference == {"rows": 40, "columns": [], "answers": {}}
    assert bundle.verdict == {"use": "classical"}
    assert bundle.golden is None
    assert bundle.requires == {"numpy": "2.0"}
    assert len(bundle.version) == 12
    assert bundle.format == 2


def test_the_version_names_the_contents(model: Path, copied: Path) -> None:
    assert open_bundle(model).version == open_bundle(copied).version
    put(copied, {"README.md": b"# Another\n"})
    assert open_bundle(model).version != open_bundle(copied).version


def test_any_other_value_at_any_place_of_the_manifest_is_refused(copied: Path) -> None:
    manifest = manifest_of(copied)
    whole = list(places({**manifest, "files": manifest["files"][:1]}))
    for path in whole:
        for odd in ODD:
            if path in (("made_by",), ("created",)) and isinstance(odd, str) and len(odd) < 200:
                continue  # any short text will do
            (copied / "manifest.json").write_text(json.dumps(changed(manifest, path, odd)))
            refused(copied)
        if path:
            (copied / "manifest.json").write_text(json.dumps(without(manifest, path)))
            refused(copied)
    (copied / "manifest.json").write_text(json.dumps({**manifest, "more": 1}))
    refused(copied, "'more'")
    manifest["files"][0]["more"] = 1
    (copied / "manifest.json").write_text(json.dumps(manifest))
    refused(copied, "'more'")


FREE = ("about", "why", "title", "summary", "guessed", "target", "margin", "labels", "shares", "requires")
"""Keys of the description that may hold other values of the right type."""


def test_any_other_value_at_any_place_of_the_description_is_refused_or_answered(copied: Path) -> None:
    described = json.loads((copied / "model.json").read_text())
    answered = []
    for path in places(described):
        if len(path) > 1 and ("summary" in path[:-1] or "about" in path):
            continue  # facts for people
        for odd in ODD:
            describe(copied, lambda _, path=path, odd=odd: changed(described, path, odd))
            if opened_or_refused(copied) and odd != _at(described, path):
                answered.append((path, odd))
        if path:
            describe(copied, lambda _, path=path: without(described, path))
            opened_or_refused(copied)
    for path, odd in answered:
        is_free = any(key in FREE for key in path) or "reading" in path
        is_equal = path[-1:] == ("name",) or "mixes" in path
        assert is_free or is_equal, (path, odd)


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


NAMES_OF_CODE = (
    "os.system",
    "subprocess",
    "builtins.eval",
    "../../x",
    "pickle",
    "_linear",
    "linear.Linear",
    "__init__",
    "",
)


@pytest.mark.parametrize("name", NAMES_OF_CODE)
@pytest.mark.parametrize("place", ["learner", "kind", "task", "metric"])
def test_a_name_that_is_not_known_is_refused_and_never_imported(copied: Path, place: str, name: str) -> None:
    def change(d: Any) -> Any:
        if place == "learner":
            d["members"]["a-linear"]["learner"] = name
        elif place == "kind":
            d["schema"]["columns"][0]["kind"] = name
        else:
            d["task"]["name" if place == "task" else "metric"] = name
        return d

    describe(copied, change)
    refused(copied, "known")


@pytest.mark.parametrize(
    ("name", "version"),
    [("numpy; os", "1"), ("-e .", "1"), ("numpy", "1 --index-url http://x"), ("numpy", "1\n-e .")],
)
def test_what_is_required_is_packages_with_versions(copied: Path, name: str, version: str) -> None:
    describe(copied, lambda d: {**d, "requires": {name: version}})
    refused(copied, "no package")


LINES = (
    *(
        "--index-url http://x",
        "-e .",
        "-r other.txt",
        "git+https://x/y",
        "numpy @ http://x/y.whl",
        "./evil",
        "/evil.whl",
    ),
    *(
        "numpy==1 --hash=sha256:0",
        "numpy==1\n-e .",
        "numpy==1; os.system('id')\\",
        "http://x/y.whl",
        "num\u00fcpy",
        "numpy\\",
    ),
    *("${HOME}", " -e .", "numpy==1 # \r\n-e ."),
)


@pytest.mark.parametrize("line", LINES, ids=ascii)
def test_a_file_for_pip_names_packages_alone(copied: Path, line: str) -> None:
    put(copied, {"requirements.txt": f"numpy==2.0\n{line}\n".encode()})
    refused(copied, "requirements.txt.*no package|requirements.txt.*ascii")


def test_requirements_that_we_write_are_taken(copied: Path) -> None:
    lines = (
        "# hello -e",
        "",
        "numpy==2.4.6",
        "uvicorn[standard]>=0.3,<1; python_version >= '3.11'",
        "torch==2.13.0+cpu",
    )
    text = "\n".join(lines) + "\n"
    put(copied, {"requirements.txt": text.encode()})
    assert len(open_bundle(copied).predict(asked())) == 5


def _before(text: bytes) -> Callable[[bytes, bytes], bytes]:
    """Put this before a key."""
    return lambda raw, key: raw.replace(key, text + key, 1)


RAW: dict[str, tuple[Callable[[bytes, bytes], bytes], str]] = {
    "a key twice": (lambda raw, key: raw.replace(key, key + b": 1, " + key, 1), "stands twice"),
    "a key twice further in": (_before(b'"x": [{"y": 1, "y": 1}], '), "'y' stands twice"),
    "not a number": (_before(b'"x": NaN, '), "NaN is no number"),
    "no end": (_before(b'"x": [-Infinity], '), "Infinity is no number"),
    "too large": (_before(b'"x": 1e999, '), "too large"),
    "very many digits": (_before(b'"x": ' + b"9" * 10_000 + b", "), "digits"),
    "deep": (_before(b'"x": ' + b"[" * 65 + b"]" * 65 + b", "), "nested deeper"),
    "deeper": (_before(b'"x": ' + b"[" * 5_000 + b"]" * 5_000 + b", "), "nested deeper"),
    "deep lists": (lambda raw, key: b"[" * 1_000_000, "nested deeper"),
    "deep objects": (lambda raw, key: b'{"a":' * 200_000 + b"1" + b"}" * 200_000, "nested deeper"),
    "millions of values": (
        lambda raw, key: raw[:-1] + b', "x": [' + b"0," * (1 << 22) + b"0]}",
        "larger|millions",
    ),
    "half a character": (_before(b'"x": "\\ud800", '), "half a character"),
    "half a character in a key": (_before(b'"\\udfff": 1, '), "half a character"),
    "a mark of order": (lambda raw, key: b"\xef\xbb\xbf" + raw, "no JSON"),
    "utf-16": (lambda raw, key: raw.decode().encode("utf-16"), "no UTF-8|refused"),
    "latin-1": (_before(b'"\xe9": 1, '), "no UTF-8"),
    "something after": (lambda raw, key: raw + b"{}", "no JSON"),
    "a comment": (lambda raw, key: raw.replace(key, b"/* hello */" + key, 1), "no JSON"),
    "a comma too many": (_before(b","), "no JSON"),
    "single quotes": (lambda raw, key: raw.replace(key, key.replace(b'"', b"'"), 1), "no JSON"),
    "nothing": (lambda raw, key: b"", "no JSON"),
    "zeros": (lambda raw, key: bytes(1_000), "no JSON"),
    "a list": (lambda raw, key: b"[" + raw + b"]", "no object|expected an object"),
    "python": (lambda raw, key: b"__import__('os').system('id')", "no JSON"),
    "pickle": (lambda raw, key: b"\x80\x04cos\nsystem\n.", "no UTF-8|no JSON"),
    "yaml": (lambda raw, key: b"!!python/object/apply:os.system ['id']", "no JSON"),
}


@pytest.mark.parametrize("what", RAW)
@pytest.mark.parametrize(("name", "key"), [("manifest.json", b'"format"'), ("model.json", b'"default"')])
def test_json_that_is_none_or_says_two_things_is_refused(
    copied: Path, name: str, key: bytes, what: str
) -> None:
    change, words = RAW[what]
    before = (copied / name).read_bytes()
    (copied / name).write_bytes(change(before, key))
    assert (copied / name).read_bytes() != before
    if name == "model.json":
        relist(copied)
    refused(copied, words)


def test_a_manifest_that_is_very_large_is_not_read(copied: Path) -> None:
    with (copied / "manifest.json").open("ab") as stream:
        stream.write(b" " * (9 << 20))
    refused(copied, "larger than")


@pytest.mark.parametrize("name", ["reference.json", "golden.json", "verdict.json"])
@pytest.mark.parametrize("raw", [b'{"a": 1, "a": 2}', b'{"a": NaN}', b"[1]", b"{", b"[" * 100_000])
def test_what_goes_with_a_model_is_read_strictly_too(copied: Path, name: str, raw: bytes) -> None:
    put(copied, {name: raw})
    bundle = open_bundle(copied)
    with pytest.raises(BadBundle, match=name):
        getattr(bundle, name.removesuffix(".json"))


ALIKE = (
    *(
        ("a.json", "A.json"),
        ("x/a.json", "X/b.json"),
        ("\u00e9.json", "e\u0301.json"),
        ("a.json", "a.json/b.json"),
    ),
    *(("\u212a.json", "k.json"), ("stra\u00dfe.json", "STRASSE.json"), ("a/b.json", "a")),
)


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_names_that_are_one_on_some_system_are_refused(copied: Path, one: str, other: str) -> None:
    manifest = manifest_of(copied)
    for name in (one, other):
        path = f"members/a-linear/{name}"
        manifest["files"].append({"path": path, "size": 2, "sha256": "0" * 64, "role": "member"})
        manifest["total_size"] += 2
    (copied / "manifest.json").write_text(json.dumps(manifest))
    refused(copied, "same name|as a file and as a folder")


def test_the_same_file_listed_twice_is_refused(copied: Path) -> None:
    manifest = manifest_of(copied)
    manifest["files"].append(manifest["files"][0])
    manifest["total_size"] += manifest["files"][0]["size"]
    (copied / "manifest.json").write_text(json.dumps(manifest))
    refused(copied, "same name")


@pytest.mark.parametrize("place", ["members/a-linear/empty", "nothing", ".git", "encoders"])
def test_a_folder_that_is_not_listed_is_refused(copied: Path, place: str) -> None:
    (copied / place).mkdir()
    refused(copied, "not in its manifest")


@pytest.mark.parametrize(
    "name",
    [".DS_Store", "members/a-linear/Thumbs.db", "members/.keep", "a\nb", "evil.py", "sitecustomize.py"],
)
def test_a_file_that_is_not_listed_is_refused(copied: Path, name: str) -> None:
    (copied / name).write_bytes(b"")
    refused(copied, "not in its manifest")


@pytest.mark.parametrize("kind", ["link", "broken link", "link to a folder", "pipe", "socket"])
def test_a_listed_file_that_is_none_is_refused(copied: Path, kind: str) -> None:
    path = copied / "members" / "a-linear" / "model.json"
    other = copied.parent / "other.json"
    path.rename(other)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        os.mknod(path, 0o140644)
    else:
        path.symlink_to({"link": other, "broken link": "nowhere", "link to a folder": copied.parent}[kind])
    refused(copied, "link or a device")


def test_a_hard_link_is_as_good_as_its_contents(copied: Path) -> None:
    path = copied / "members" / "a-linear" / "model.json"
    os.link(path, copied.parent / "other.json")
    assert len(open_bundle(copied).predict(asked())) == 5
    (copied.parent / "other.json").write_text("{}")
    refused(copied, "altered")


def test_a_member_without_files_and_files_without_a_member_are_refused(copied: Path) -> None:
    shutil.copytree(copied / "members" / "a-linear", copied / "members" / "a-more")
    relist(copied)
    refused(copied, "a-more.* no member's")
    shutil.rmtree(copied / "members" / "a-more")
    shutil.rmtree(copied / "members" / "a-linear")
    relist(copied)
    refused(copied, "'a-linear' has no files")


def test_encoders_must_be_there_and_named(copied: Path) -> None:
    place, digest = "members/a-linear/encoders.json", "0" * 64
    one = {"digest": digest, "folder": "/etc", "form": "onnx"}
    put(copied, {place: json.dumps([one]).encode()})
    refused(copied, "names an encoder that is not there")
    for odd in ({}, [1], [{}], [{"digest": 1}], [{"digest": "../.."}], [{**one, "digest": None}]):
        put(copied, {place: json.dumps(odd).encode()})
        refused(copied, "encoder")
    (copied / place).unlink()
    put(copied, {f"encoders/{digest}/config.json": b"{}"})
    refused(copied, "no member's")


def test_a_file_that_changes_after_opening_is_refused_when_it_is_needed(copied: Path) -> None:
    bundle = open_bundle(copied)
    bundle.predict(asked(), "baseline")
    path = copied / "members" / "a-linear" / "model.json"
    before = path.read_bytes()
    path.unlink()
    path.write_bytes(before.replace(b"0", b"1", 1))
    with pytest.raises(BadBundle, match="altered"):
        bundle.predict(asked(), "classical")
    path.write_bytes(before)
    assert len(bundle.predict(asked(), "classical")) == 5
    (copied / "verdict.json").write_bytes(b"{}")
    with pytest.raises(BadBundle, match="altered"):
        _ = bundle.verdict


def test_a_model_answers_wherever_the_program_goes(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(copied.parent)
    bundle = open_bundle("model")
    monkeypatch.chdir("/")
    assert len(bundle.predict(asked())) == 5
    assert bundle.verdict == {"use": "classical"}


def test_a_file_that_changes_while_it_is_read_is_seen(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = open_bundle(copied)
    path = copied / "members" / "a-linear" / "model.json"
    learner = bundle._learner("a-linear")
    genuine = learner.load

    def load(folder: Path) -> Any:
        model = genuine(folder)
        path.write_bytes(path.read_bytes())  # the same again, but who knows what was read
        os.utime(path, ns=(len(times), len(times)))
        times.append(1)
        return model

    times: list[int] = []
    monkeypatch.setattr(learner, "load", load)
    with pytest.raises(BadBundle, match="being changed"):
        bundle.predict(asked(), "classical")
    assert len(times) == 3


def test_a_folder_too_large_is_refused_before_it_is_read(copied: Path) -> None:
    refused(copied, "at most", Limits(folder_size=1_000))
    refused(copied, "at most", Limits(files=3))
    refused(copied, "at most", Limits(json_size=50))


def test_what_may_not_be_in_a_model_is_not_packed(model: Path, tmp_path: Path) -> None:
    for number, (name, content) in enumerate(
        [
            ("members/a/x.pkl", b"x"),
            ("members/a/x.json", b"\x80\x04"),
            ("more.json", b"{}"),
            ("members/a/CON.json", b"{}"),
        ]
    ):
        folder = tmp_path / str(number)
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(content)
        with pytest.raises(BadBundle, match="cannot go into"):
            make_manifest(folder, made_by="", created="")


def test_a_newer_format_asks_for_a_newer_version(copied: Path) -> None:
    (copied / "manifest.json").write_text(json.dumps({**manifest_of(copied), "format": 3}))
    refused(copied, "Update fathometer")
    for odd in (0, "2", 2.0, True, None, [2], -1, 10**40):
        (copied / "manifest.json").write_text(json.dumps({**manifest_of(copied), "format": odd}))
        refused(copied)


def test_more_columns_than_anyone_reads_are_refused_before_they_are_looked_at(model: Path) -> None:
    value = json.loads((model / "model.json").read_text())
    value["schema"]["columns"] = [None] * (MOST_COLUMNS + 1)
    with pytest.raises(ValueError, match="20,001 columns"):
        described(value, 2)


def test_the_page_says_the_limits() -> None:
    page = (Path(__file__).parents[2] / "docs" / "bundle.md").read_text(encoding="utf-8")
    limits = Limits()
    told = {
        f"| files | {limits.files:,} |",
        f"| an archive, unpacked | {limits.total_size >> 30} GiB |",
        f"| a folder | {limits.folder_size >> 30} GiB |",
        f"| a JSON file | {limits.json_size >> 20} MiB, nested {DEEPEST} deep, {MOST_VALUES >> 20} million values, "
        f"{MOST_OBJECTS >> 20} million objects |",
        f"| columns | {MOST_COLUMNS:,} |",
        f"| the manifest | {limits.manifest_size >> 20} MiB |",
        f"| unpacked to packed size, above {limits.ratio_from >> 20} MiB | {limits.ratio} to 1 |",
        f"| a path | {limits.name_bytes} bytes, {limits.depth} parts |",
    }
    assert {line for line in told if line not in page} == set()
