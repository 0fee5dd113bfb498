"""Pictures of every sort are read alike, damaged ones are told apart, and their features are what they claim to be."""

from __future__ import annotations

import io
import math
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import PIL.Image
import pytest
import scipy.ndimage

from fathometer.core.attachments import Attachment
from fathometer.core.pictures import Picture, PictureArray, as_pictures
from fathometer.kind import KINDS
from fathometer.kinds.image import Image
from fathometer.kinds.image.decoding import MOST_PIXELS
from fathometer.kinds.image.edges import ANGLES, CUT, NO_EDGE, EdgeGrid

IMAGE = Image()
COLOUR = {"height": 32, "width": 32, "channels": 3}
DATA = Path(os.environ.get("FATHOMETER_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
FLOWERS = DATA / "images/flowers128.zip"


def scene(height: int = 120, width: int = 160, seed: int = 0) -> PIL.Image.Image:
    """Smooth blobs of colour."""
    rng = np.random.default_rng(seed)
    blobs = scipy.ndimage.gaussian_filter(rng.normal(size=(height, width, 3)), (6, 6, 0))
    return PIL.Image.fromarray(np.clip(blobs * 900 + 128, 0, 255).astype(np.uint8))


def saved(image: PIL.Image.Image, form: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def read(*cells: Any, **frame: Any) -> PictureArray:
    return as_pictures(IMAGE.read(pd.Series(list(cells), dtype=object), {**COLOUR, **frame}))


def pixels(cell: Any, **frame: Any) -> npt.NDArray[np.float64]:
    picture = read(cell, **frame)[0]
    assert picture is not None, IMAGE.complaint(cell)
    return np.asarray(picture.pixels, dtype=np.float64)


def apart(left: npt.NDArray[np.float64], right: npt.NDArray[np.float64]) -> float:
    return float(np.abs(left - right).mean())


REDUCED = np.array(scene().resize((32, 32), PIL.Image.Resampling.BOX), dtype=np.float64)


@pytest.mark.parametrize("form", ["PNG", "BMP", "PPM", "TIFF", "JPEG", "GIF", "WEBP"])
def test_headers_tell_how_many_pixels_there_are(form: str) -> None:
    cells = pd.Series(
        [saved(scene(90, 120), form), None, b"no picture", 3, saved(scene(), form)], dtype=object
    )
    assert IMAGE.claimed(cells) == 90 * 120 + 120 * 160


def test_pixels_that_take_more_room_count_more() -> None:
    clear = PIL.Image.new("P", (90, 60))
    deep = PIL.Image.fromarray(np.zeros((60, 90), dtype=np.uint16))
    files = [saved(clear, "PNG"), saved(clear, "PNG", transparency=0), saved(deep, "PNG")]
    weights = [IMAGE.claimed(pd.Series([file], dtype=object)) / (90 * 60) for file in files]
    assert weights == [1, 2, 4]


def test_headers_are_believed_before_the_rest_is_read() -> None:
    torn = saved(scene(), "PNG")[:200]
    assert "cut off" in IMAGE.complaint(torn)
    assert IMAGE.claimed(pd.Series([torn, b""], dtype=object)) == 120 * 160


@pytest.mark.parametrize(
    ("form", "options", "error"),
    [
        ("PNG", {}, 0.01), ("BMP", {}, 0.01), ("PPM", {}, 0.01), ("TIFF", {}, 0.01),
        ("TIFF", {"compression": "tiff_lzw"}, 0.01), ("JPEG", {}, 4), ("JPEG", {"progressive": True}, 4),
        ("WEBP", {}, 4), ("GIF", {}, 6),
    ],
)  # fmt: skip
def test_every_format_gives_the_same_picture(form: str, options: dict[str, Any], error: float) -> None:
    assert apart(pixels(saved(scene(), form, **options)), REDUCED) < error


@pytest.mark.parametrize("mode", ["P", "CMYK", "RGBA"])
def test_every_mode_gives_the_same_picture(mode: str) -> None:
    form = "JPEG" if mode == "CMYK" else "PNG"
    assert apart(pixels(saved(scene().convert(mode), form)), REDUCED) < 6


def test_what_is_transparent_lies_on_white() -> None:
    clear = scene().convert("RGBA")
    clear.putalpha(0)
    for cell in (saved(clear, "PNG"), saved(clear.convert("LA"), "PNG"), np.asarray(clear), clear):
        assert (pixels(cell) == 255).all()
    stencil = PIL.Image.new("P", (40, 40), 0)
    stencil.putpalette([0, 0, 0, 255, 0, 0])
    assert (pixels(saved(stencil, "PNG", transparency=0)) == 255).all()


def test_a_picture_is_turned_as_the_camera_was_held() -> None:
    upright = scene(128, 96)
    exif = PIL.Image.Exif()
    for code, turn in ((3, 180), (6, 90), (8, 270)):
        exif[0x0112] = code
        cell = saved(upright.rotate(turn, expand=True), "JPEG", exif=exif, quality=95)
        assert apart(pixels(cell, height=32, width=24), pixels(upright, height=32, width=24)) < 3
        assert IMAGE.learn_reading(pd.Series([cell, upright], dtype=object))["height"] == 96
    small = saved(scene(20, 40).rotate(90, expand=True), "PNG", exif=exif)
    found = IMAGE.learn_reading(pd.Series([small], dtype=object))
    assert (found["height"], found["width"]) == (20, 40)


def test_sixteen_bits_are_scaled_by_what_they_could_hold() -> None:
    dark = np.full((40, 40), 65535 // 4, dtype=np.uint16)
    for cell in (saved(PIL.Image.fromarray(dark), "PNG"), saved(PIL.Image.fromarray(dark), "TIFF"), dark):
        assert pixels(cell, channels=1).mean() == pytest.approx(64, abs=1)


@pytest.mark.parametrize(
    ("top", "dtype"),
    [(1, "float32"), (255, "float64"), (16, "float64"), (255, "int64"), (1, "uint8"), (1, "bool")],
)
def test_numbers_of_any_custom_become_the_same_picture(top: int, dtype: str) -> None:
    shares = np.asarray(scene().convert("L")) / 255
    arrays = [
        (np.clip(shares + shift, 0, 1) * top).round(0 if dtype != "float32" else 6) for shift in (0, 0.5)
    ]
    arrays[1].flat[0] = top
    cells = pd.Series([array.astype(dtype) for array in arrays], dtype=object)
    reading = IMAGE.learn_reading(cells)
    shown = as_pictures(IMAGE.read(cells, reading))
    wanted = read(np.rint(arrays[0] / top * 255).astype(np.uint8), **{**reading, "top": 255})[0]
    assert apart(shown[0].pixels.astype(float), wanted.pixels.astype(float)) < 1
    assert as_pictures(IMAGE.read(cells[:1], reading))[0] == shown[0]


def test_of_an_animation_the_first_frame_is_taken() -> None:
    moving = saved(scene(), "GIF", save_all=True, append_images=[scene(seed=1), scene(seed=2)])
    assert apart(pixels(moving), REDUCED) < 6


@pytest.mark.parametrize("form", ["PNG", "BMP", "PPM", "TIFF", "JPEG", "WEBP", "GIF"])
def test_a_file_that_is_cut_off_is_no_picture(form: str) -> None:
    whole = saved(scene(), form)
    for share in (0.0, 0.05, 0.3, 0.6, 0.9, 0.98):
        part = whole[: int(len(whole) * share)]
        assert read(part).isna().all() and IMAGE.complaint(part) != "", share


def test_damaged_files_never_raise() -> None:
    rng = np.random.default_rng(0)
    for form in ("PNG", "BMP", "PPM", "JPEG", "WEBP", "GIF"):
        whole = saved(scene(40, 50), form)
        for _ in range(40):
            harmed = bytearray(whole)
            for place in rng.integers(0, min(len(whole), 400), size=4):
                harmed[place] = rng.integers(256)
            cell = bytes(harmed)
            assert bool(read(cell).isna()[0]) == (IMAGE.complaint(cell) != "")


def test_a_bomb_is_refused_by_what_its_header_claims() -> None:
    header = bytearray(saved(PIL.Image.new("1", (8, 8)), "BMP"))
    side = math.isqrt(MOST_PIXELS) + 100
    header[18:26] = side.to_bytes(4, "little") + side.to_bytes(4, "little")
    assert "megapixels" in IMAGE.complaint(bytes(header))
    before = PIL.Image.MAX_IMAGE_PIXELS
    assert read(bytes(header)).isna().all() and before == PIL.Image.MAX_IMAGE_PIXELS


def test_only_formats_of_pictures_are_parsed() -> None:
    drawing = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"
    assert "no picture" in IMAGE.complaint(drawing)
    assert "no picture" in IMAGE.complaint(saved(scene(), "ICO"))
    assert IMAGE.complaint(str(FLOWERS)) == "it is a str, not a picture"


def test_files_members_and_bytes_of_one_picture_are_equal(tmp_path: Path) -> None:
    raw = saved(scene(), "PNG")
    (tmp_path / "a.png").write_bytes(raw)
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("b/c.png", raw)
    cells = [Attachment(tmp_path / "a.png"), Attachment(tmp_path / "all.zip", "b/c.png"), raw, bytearray(raw)]
    column = read(
        *cells, {"bytes": raw, "path": "x"}, scene(), np.asarray(scene()), Attachment(tmp_path / "no.png")
    )
    assert len(set(column.digests()[:7].tolist())) == 1 and len(column.pixels) == 1
    assert column.isna().tolist() == [False] * 7 + [True]
    assert "no such file" in IMAGE.complaint(Attachment(tmp_path / "no.png"))


def test_a_column_is_read_alike_in_parts_in_any_order_and_again() -> None:
    cells = pd.Series(
        [saved(scene(seed=place % 40), "JPEG") for place in range(300)] + [None, "x"], dtype=object
    )
    whole = IMAGE.read(cells, COLOUR)
    parts = pd.concat([IMAGE.read(cells[:7], COLOUR), IMAGE.read(cells[7:], COLOUR)])
    order = np.random.default_rng(0).permutation(len(cells))
    digests = IMAGE.digests(whole)
    assert (IMAGE.digests(parts) == digests).all() and len(as_pictures(whole).pixels) == 40
    assert (IMAGE.digests(IMAGE.read(cells.iloc[order], COLOUR)) == digests[order]).all()
    assert (IMAGE.digests(IMAGE.read(whole, COLOUR)) == digests).all()
    objects = pd.Series(list(whole), dtype=object)
    assert isinstance(objects[0], Picture) and (IMAGE.digests(IMAGE.read(objects, COLOUR)) == digests).all()


def test_a_column_without_a_single_picture_is_read_in_any_size() -> None:
    kind = Image()
    none = kind.read(pd.Series([None, None], dtype=object), kind.learn_reading(pd.Series([], dtype=object)))
    again = kind.read(none, {"height": 9, "width": 7, "channels": 1})
    assert as_pictures(again).shape_of_one == (9, 7, 1)
    assert again.isna().all()


@pytest.mark.parametrize(
    ("sizes", "wanted"),
    [
        ([(28, 28)] * 5, (28, 28)), ([(20, 60)] * 5, (20, 60)), ([(100, 100)] * 5, (96, 96)),
        ([(20, 30), (30, 20)], (32, 32)), ([(300, 400), (500, 300), (60, 900)], (128, 128)), ([], (32, 32)),
    ],
)  # fmt: skip
def test_the_size_suits_most_pictures(sizes: list[tuple[int, int]], wanted: tuple[int, int]) -> None:
    cells = pd.Series([np.asarray(scene(*size)) for size in sizes], dtype=object)
    found = IMAGE.learn_reading(cells)
    assert (found["height"], found["width"]) == wanted


def test_a_column_of_grey_pictures_is_read_grey() -> None:
    grey = scene().convert("L")
    cells = [saved(grey, "PNG"), saved(grey.convert("RGB"), "JPEG"), np.asarray(grey.convert("RGB"))]
    assert IMAGE.learn_reading(pd.Series(cells, dtype=object))["channels"] == 1
    reading = IMAGE.learn_reading(pd.Series([*cells, saved(scene(), "PNG")], dtype=object))
    assert reading["channels"] == 3 and IMAGE.describe(reading) == "read as 96 x 96 colour"


def test_pictures_are_guessed_and_nothing_else_is() -> None:
    files = pd.Series([Attachment(Path(f"{place}.JPG")) for place in range(50)], dtype=object)
    raws = pd.Series([None, *[saved(scene(), "PNG")] * 3], dtype=object)
    for cells in (files, raws, pd.Series([scene()], dtype=object), IMAGE.read(raws, COLOUR)):
        guesses = {name: KINDS.get(name)().guess(cells) for name in KINDS.names()}
        assert max(guesses, key=lambda name: guesses[name]) == "image"
    texts = pd.Series(["a.png", "b.jpg"] * 20, dtype=object)
    others = [
        texts,
        pd.Series([b"BMW", b"PNG"]),
        pd.Series([Attachment(Path("a.txt"))]),
        pd.Series([1.0, 2.0]),
    ]
    others += [
        pd.Series([np.zeros(5), np.zeros((2, 2))], dtype=object),
        pd.Series([None, None], dtype=object),
    ]
    assert [IMAGE.guess(cells) for cells in others] == [0.0] * len(others)


def slow_edges(grey: npt.NDArray[np.float64], cells: int) -> list[float]:
    """Histograms of oriented gradients as one reads them in the paper, pixel by pixel."""
    side = len(grey)
    found = np.zeros((cells, cells, ANGLES))
    for i in range(side):
        for j in range(side):
            down = grey[min(i + 1, side - 1), j] - grey[max(i - 1, 0), j]
            right = grey[i, min(j + 1, side - 1)] - grey[i, max(j - 1, 0)]
            angle = math.atan2(down, right) % math.pi / math.pi * ANGLES
            for near in range(2):
                share = abs(1 - near - angle % 1)
                for row in range(cells):
                    for column in range(cells):
                        size = side / cells
                        away = [
                            abs((place + 0.5) * size - 0.5 - at) / size
                            for place, at in ((row, i), (column, j))
                        ]
                        part = max(0, 1 - away[0]) * max(0, 1 - away[1]) * share * math.hypot(down, right)
                        found[row, column, (int(angle) + near) % ANGLES] += part
    numbers: list[float] = []
    for row in range(cells - 1):
        for column in range(cells - 1):
            block = found[row : row + 2, column : column + 2].ravel()
            block = np.minimum(block / math.sqrt((block**2).sum() + NO_EDGE**2), CUT)
            numbers += (block / math.sqrt((block**2).sum() + 1e-6)).tolist()
    return numbers


def test_edges_are_what_a_slow_reference_finds() -> None:
    grey = np.asarray(scene(16, 16, seed=3).convert("L"), dtype=np.float64)
    grid = EdgeGrid.over(16, 16)
    assert (grid.down, grid.across) == (4, 4)
    found = grid.histograms(grey[None, :, :, None].astype(np.float32))[0]
    np.testing.assert_allclose(found, slow_edges(grey, 4), atol=2e-4)


@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (2, 9, 3), (3, 3, 1), (5, 40, 3), (8, 8, 1), (28, 28, 1), (128, 96, 3)]
)
def test_features_of_any_size_are_finite_named_and_few(shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(0)
    cells = pd.Series(
        [Picture.of(rng.integers(0, 256, shape).astype(np.uint8)) for _ in range(3)], dtype=object
    )
    reading = dict(zip(("height", "width", "channels"), shape, strict=True))
    values = IMAGE.read(pd.concat([cells, pd.Series([None])], ignore_index=True), reading)
    features = IMAGE.fit_features(values).transform(values)
    assert np.isfinite(features.numbers[:3]).all() and np.isnan(features.numbers[3]).all()
    assert features.numbers.shape[1] == len(set(features.number_names)) < 2300
    assert features.common[0][0] == 0 and features.common[-1][1] == features.numbers.shape[1]


def photos(count: int, start: int = 0) -> list[PIL.Image.Image]:
    return [scene(64, 64, seed=start + place) for place in range(count)]


def found_pairs(originals: list[PIL.Image.Image], copies: list[PIL.Image.Image]) -> set[tuple[int, int]]:
    frame = {"height": 64, "width": 64, "channels": 3}
    values = IMAGE.read(pd.Series([*originals, *copies], dtype=object), frame)
    return {(int(min(pair)), int(max(pair))) for pair in IMAGE.alike(values)}


@pytest.mark.parametrize("how", ["saved again", "smaller", "cropped", "brighter"])
def test_copies_are_found_and_nothing_else(how: str) -> None:
    originals = photos(40)
    copies = {
        "saved again": lambda one: PIL.Image.open(io.BytesIO(saved(one, "JPEG", quality=40))),
        "smaller": lambda one: one.resize((40, 40)),
        "cropped": lambda one: one.crop((2, 2, 62, 62)),
        "brighter": lambda one: PIL.Image.eval(one, lambda level: min(255, int(level * 1.1 + 8))),
    }[how]
    pairs = found_pairs(originals, [copies(one) for one in originals])
    assert pairs == {(place, place + 40) for place in range(40)}


def test_one_scene_before_one_camera_makes_no_copies() -> None:
    ground = np.asarray(scene(64, 64), dtype=np.float64)
    rng = np.random.default_rng(0)
    shown = []
    for _ in range(60):
        picture = ground.copy()
        down, right = rng.integers(0, 48, 2)
        picture[down : down + 16, right : right + 16] += rng.uniform(-90, 90)
        shown.append(PIL.Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)))
    assert len(found_pairs(shown, [])) < 10


def test_a_disturbance_grows_with_its_size() -> None:
    values = IMAGE.read(pd.Series([*photos(8), None], dtype=object), COLOUR)
    change = []
    for size in (0.0, 0.1, 0.3):
        spoiled = IMAGE.disturbed(values, size, np.random.default_rng(0))
        assert spoiled is not None
        first, second = as_pictures(values).shown(slice(None)), as_pictures(spoiled).shown(slice(None))
        change.append(apart(first.astype(float), second.astype(float)))
    assert change[0] < 0.01 < change[1] < 0.6 * change[2]


def test_facts_tell_what_is_seen() -> None:
    cells = [np.full((20, 20, 3), 20, np.uint8), np.full((20, 20, 3), 240, np.uint8)]
    cells += [np.tile(np.array([[0, 255] * 10], np.uint8)[:, :, None], (20, 1, 3)), np.asarray(scene(20, 20))]
    values = IMAGE.read(pd.Series([*cells, None], dtype=object), {"height": 20, "width": 20, "channels": 3})
    facts = IMAGE.facts(values)
    assert facts["brightness"][0] < 0.1 < 0.9 < facts["brightness"][1] and np.isnan(facts["brightness"][4])
    assert np.nanargmax(facts["amount of edges"]) == 2
    assert np.nanargmax(facts["colourfulness"]) == 3
    # the spread of equal values is the rounding of their mean in single precision, which hangs on the processor's
    # order of sums; one step of one pixel would be a thousand times as much
    assert facts["contrast"][0] < np.finfo(np.float32).eps


@pytest.mark.skipif(not FLOWERS.exists(), reason="the flowers are development data, not shipped")
def test_doubled_flowers_are_found() -> None:
    with zipfile.ZipFile(FLOWERS) as archive:
        names = [name for name in archive.namelist() if name.endswith(".jpg")]
    twice = [name for name in names if "17291930305" in name or "15922772266" in name]
    assert len(twice) == 4
    asked = [*twice, *names[::60]]
    cells = pd.Series([Attachment(FLOWERS, name) for name in asked], dtype=object)
    assert IMAGE.learn_reading(cells) == {"height": 128, "width": 128, "channels": 3}
    values = IMAGE.read(cells, COLOUR)
    assert values.notna().all() and len(set(IMAGE.digests(values)[:4].tolist())) == 2
    again = [PIL.Image.open(io.BytesIO(cell.read())).resize((100, 100)) for cell in cells[:20]]
    both = IMAGE.read(
        pd.Series([*cells[4:20], *again[4:]], dtype=object), {**COLOUR, "height": 96, "width": 96}
    )
    assert {(int(a), int(b)) for a, b in IMAGE.alike(both)} == {(place, place + 16) for place in range(16)}
