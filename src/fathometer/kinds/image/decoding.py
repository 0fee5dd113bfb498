"""One cell -> pixels of the wanted size, or a sentence that says why not."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL
import PIL.Image

# each registers its format; without them pillow would import every parser it has
from PIL import BmpImagePlugin as _Bmp
from PIL import GifImagePlugin as _Gif
from PIL import JpegImagePlugin as _Jpeg
from PIL import PngImagePlugin as _Png
from PIL import PpmImagePlugin as _Ppm
from PIL import TiffImagePlugin as _Tiff
from PIL import WebPImagePlugin as _WebP

from fathometer.core.attachments import Attachment, UnreadableAttachmentError
from fathometer.core.pictures import Picture, Pixels

PLUGINS = (_Bmp, _Gif, _Jpeg, _Png, _Ppm, _Tiff, _WebP)
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
"""What may be parsed. Everything else (PostScript, Photoshop, ...) is more program than picture."""
ENDINGS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff"}
    | {".ppm", ".pgm", ".pbm", ".pnm"}
)
MAGIC = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|BM.{4}\0\0\0\0|II\*\0|MM\0\*|RIFF.{4}WEBP|P[1-6]\s", re.DOTALL
)
MOST_PIXELS = 80_000_000
"""A picture that claims to have more is refused before it is decoded (below the size at which pillow warns)."""
ORIENTATION = 0x0112  # EXIF
TURNS = {
    2: PIL.Image.Transpose.FLIP_LEFT_RIGHT,
    3: PIL.Image.Transpose.ROTATE_180,
    4: PIL.Image.Transpose.FLIP_TOP_BOTTOM,
    5: PIL.Image.Transpose.TRANSPOSE,
    6: PIL.Image.Transpose.ROTATE_270,
    7: PIL.Image.Transpose.TRANSVERSE,
    8: PIL.Image.Transpose.ROTATE_90,
}
NO_PICTURE = "it is no picture that can be read (JPEG, PNG, GIF, BMP, WebP, TIFF, PPM)"


class NoPictureError(ValueError):
    """The cell is no picture; the text says why, as a clause."""


@dataclass(frozen=True)
class Frame:
    """What every picture of a column becomes.

    floats: what is black and what is white in arrays of numbers. top: what is white in arrays of bytes.
    """

    height: int
    width: int
    channels: int
    floats: tuple[float, float] = (0.0, 255.0)
    top: int = 255

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        return self.height, self.width, self.channels


@dataclass(frozen=True)
class Look:
    """What a glance at a picture tells. low, high: the range of an array of numbers; None for files."""

    height: int
    width: int
    is_grey: bool
    numbers: tuple[float, float] | None = None
    bytes_high: int | None = None


def may_be_picture(cell: Any) -> bool:
    """Whether a cell looks like a picture; files are told by name, or else by their first bytes."""
    if isinstance(cell, Attachment):
        ending = f".{cell.name.rpartition('.')[2].lower()}"
        return ending in ENDINGS or ("." not in cell.name and _begins_as_picture(_raw(cell)))
    if isinstance(cell, Picture | PIL.Image.Image):
        return True
    if isinstance(cell, np.ndarray):
        return _is_grid(cell) and min(cell.shape[:2]) >= 4
    raw = _raw(cell)
    return raw is not None and _begins_as_picture(raw)


def pixels_of(cell: Any, frame: Frame) -> Pixels:
    """(height, width, channels) pixels of a cell.

    Raises:
        NoPictureError: the cell is none, is damaged, cut off, or too large.
    """
    if isinstance(cell, np.ndarray | Picture):
        grid = cell.pixels if isinstance(cell, Picture) else _as_bytes(cell, frame)
        if grid.shape == frame.shape:
            return grid
        return _fitted(_from_grid(grid), frame)
    try:
        return _fitted(_opened(cell, frame), frame)
    except NoPictureError:
        raise
    except Exception as error:  # whatever a damaged file makes a parser raise
        raise NoPictureError(_reason(error)) from error


def claimed_pixels(cell: Any) -> int:
    """How many pixels a file says that it has; 0 where it is refused by its header, or no file.

    By the memory that they take while it is made plain, transparent ones count twice and deep ones four times.
    """
    try:
        raw = _raw(cell)
        if raw is None:
            return 0
        image = _opened(raw, Frame(64, 64, 3))
        width, height = image.info["size of the whole"]
        is_deep = image.mode.startswith("I") or image.mode == "F"
        weight = 4 if is_deep else 2 if image.has_transparency_data else 1
    except Exception:  # whatever a damaged file makes a parser raise, it raises again where the cell is read
        return 0
    return int(width * height) * weight


def look_at(cell: Any) -> Look:
    """Size, greyness and range of a cell.

    Raises:
        NoPictureError: as `pixels_of`.
    """
    if isinstance(cell, Picture):
        height, width, channels = cell.pixels.shape
        return Look(height, width, channels == 1 or _is_grey(cell.pixels))
    if isinstance(cell, np.ndarray):
        return _look_at_array(cell)
    try:
        image = _opened(cell, Frame(64, 64, 3))
        width, height = _upright_size(cell, image)
        if image.mode in ("1", "L", "I", "I;16", "I;16B", "I;16L", "F"):
            return Look(height, width, True, _range_of(image) if image.mode == "F" else None)
        return Look(height, width, _is_grey(_fitted(image, Frame(64, 64, 3))))
    except NoPictureError:
        raise
    except Exception as error:  # whatever a damaged file makes a parser raise
        raise NoPictureError(_reason(error)) from error


def _opened(cell: Any, frame: Frame) -> PIL.Image.Image:
    """The picture, its header read and judged; a large JPEG is set to be decoded at a fraction of its size."""
    if isinstance(cell, PIL.Image.Image):
        _judge_size(cell.size)
        return cell
    raw = _raw(cell)
    if raw is None:
        raise NoPictureError(f"it is a {type(cell).__name__}, not a picture")
    if not raw:
        raise NoPictureError("it is empty")
    if MAGIC.match(raw) is None:
        raise NoPictureError(NO_PICTURE)
    image = PIL.Image.open(io.BytesIO(raw), formats=FORMATS)
    _judge_size(image.size)
    whole = image.size
    if isinstance(image, _Jpeg.JpegImageFile):
        image.draft("L" if frame.channels == 1 else None, (2 * frame.width, 2 * frame.height))
    image.info["size of the whole"] = whole
    return image


def _raw(cell: Any) -> bytes | None:
    """The bytes of a file, or bytes themselves; None for anything else."""
    if isinstance(cell, Attachment):
        try:
            return cell.read()
        except UnreadableAttachmentError as error:
            raise NoPictureError(str(error)) from error
    if isinstance(cell, Mapping):
        cell = cell.get("bytes")
    return bytes(cell) if isinstance(cell, bytes | bytearray | memoryview) else None


def _begins_as_picture(raw: bytes | None) -> bool:
    return raw is not None and MAGIC.match(raw) is not None


def _judge_size(size: tuple[int, int]) -> None:
    width, height = size
    if width * height > MOST_PIXELS:
        told = f"it has {width * height / 1e6:,.0f} megapixels, and {MOST_PIXELS / 1e6:,.0f} is the limit"
        raise NoPictureError(told)
    if width * height == 0:
        raise NoPictureError("it has no pixels")


def _upright_size(cell: Any, image: PIL.Image.Image) -> tuple[int, int]:
    """(width, height) of the whole picture as it is to be seen."""
    width, height = image.info.get("size of the whole", image.size)
    return (height, width) if _orientation(image) >= 5 else (width, height)


def _orientation(image: PIL.Image.Image) -> int:
    try:
        turned = image.getexif().get(ORIENTATION, 1)
    except Exception:  # notes beside a picture that cannot be read make it no worse a picture
        return 1
    return turned if isinstance(turned, int) and turned in TURNS else 1


def _fitted(image: PIL.Image.Image, frame: Frame) -> Pixels:
    """Pixels in this frame: upright, over white where transparent."""
    turned = _orientation(image)
    image.load()  # raises where the file is cut off
    plain = _plain_mode(image, frame)
    size = (frame.height, frame.width) if turned >= 5 else (frame.width, frame.height)
    if plain.size != size:
        shrinks = plain.size[0] >= size[0] and plain.size[1] >= size[1]
        # the mean over the area a pixel covers; where a picture grows that would repeat pixels
        plain = plain.resize(size, PIL.Image.Resampling.BOX if shrinks else PIL.Image.Resampling.BILINEAR)
    if turned in TURNS:
        plain = plain.transpose(TURNS[turned])
    if plain.mode in ("LA", "RGBA"):
        white = PIL.Image.new("RGBA", plain.size, (255, 255, 255, 255))
        plain = PIL.Image.alpha_composite(white, plain.convert("RGBA"))
    seen = np.array(plain.convert("L" if frame.channels == 1 else "RGB"), dtype=np.uint8)
    return seen.reshape(frame.shape)


def _plain_mode(image: PIL.Image.Image, frame: Frame) -> PIL.Image.Image:
    """The picture in 8 bits: L, LA, RGB or RGBA."""
    if image.mode.startswith("I") or image.mode == "F":
        return _from_grid(_deep_to_bytes(np.asarray(image), image.mode, image.format, frame))
    if image.mode in ("LA", "RGBA", "La", "RGBa", "PA", "P") or image.has_transparency_data:
        return image.convert("RGBA") if image.has_transparency_data else image.convert("RGB")
    if image.mode in ("L", "RGB"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _deep_to_bytes(grid: npt.NDArray[Any], mode: str, form: str | None, frame: Frame) -> Pixels:
    """More than 8 bits a pixel, brought to 8 by what is white in such a file, not by its own brightest pixel."""
    if mode == "F":
        return _stretched(grid, *frame.floats)
    if mode.startswith("I;16") or form in ("PNG", "PPM"):
        return _stretched(grid, 0, 65535)
    highest = int(grid.max(initial=0))
    return _stretched(grid, 0, next(top for top in (255, 65535, 2**31) if highest <= top))


def _from_grid(grid: Pixels) -> PIL.Image.Image:
    flat = grid[:, :, 0] if grid.ndim == 3 and grid.shape[2] == 1 else grid
    return PIL.Image.fromarray(np.ascontiguousarray(flat))


def _is_grid(array: npt.NDArray[Any]) -> bool:
    return (
        array.dtype.kind in "buif"
        and (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4)))
        and array.size > 0
    )


def _as_bytes(array: npt.NDArray[Any], frame: Frame) -> Pixels:
    """An array of any number type as (height, width, 1 | 3 | 4) bytes."""
    if not _is_grid(array):
        shape = " x ".join(map(str, array.shape))
        raise NoPictureError(f"its shape is {shape}, not height x width with 1, 3 or 4 channels")
    _judge_size((array.shape[1], array.shape[0]))
    grid = array.reshape(*array.shape[:2], -1)
    if array.dtype == np.uint8 and frame.top == 255:
        return grid.astype(np.uint8)
    if array.dtype == np.bool_:
        return _stretched(grid, 0, 1)
    if array.dtype in (np.uint8, np.uint16):
        return _stretched(grid, 0, frame.top if array.dtype == np.uint8 else 65535)
    return _stretched(grid, *frame.floats)


def _stretched(grid: npt.NDArray[Any], low: float, high: float) -> Pixels:
    """Numbers from low to high as 0 to 255; beyond they are cut."""
    values = grid.astype(np.float64)
    if not np.isfinite(values).all():
        raise NoPictureError("some of its pixels are no numbers")
    shares = np.clip((values - low) / max(high - low, 1e-300), 0.0, 1.0)
    return np.rint(shares * 255).astype(np.uint8)


def _look_at_array(array: npt.NDArray[Any]) -> Look:
    if not _is_grid(array):
        raise NoPictureError("its shape is not that of a picture")
    _judge_size((array.shape[1], array.shape[0]))
    grid = array.reshape(*array.shape[:2], -1)
    colours = grid[:, :, :3]
    is_grey = bool((colours == colours[:, :, :1]).all())
    size = array.shape[0], array.shape[1]
    if array.dtype == np.uint8:
        return Look(*size, is_grey, bytes_high=int(array.max()))
    if array.dtype in (np.bool_, np.uint16):
        return Look(*size, is_grey)
    finite = array[np.isfinite(array)]
    return Look(*size, is_grey, (float(finite.min()), float(finite.max())) if len(finite) else None)


def _range_of(image: PIL.Image.Image) -> tuple[float, float] | None:
    values = np.asarray(image)
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if len(finite) else None


def _is_grey(pixels: Pixels) -> bool:
    """Whether the three channels say the same; a JPEG of a grey picture differs by a step here and there."""
    apart = pixels.max(axis=2).astype(np.int16) - pixels.min(axis=2)
    return float(apart.mean()) < 1.5 and float((apart > 8).mean()) < 0.002


def _reason(error: Exception) -> str:
    """Why a parser gave up, as a clause."""
    told = str(error).lower()
    if isinstance(error, PIL.UnidentifiedImageError):
        return "it is damaged at its beginning"
    if "truncated" in told or "end of" in told or isinstance(error, EOFError):
        return "it is cut off"
    if isinstance(error, PIL.Image.DecompressionBombError):
        return f"it has more than {MOST_PIXELS / 1e6:,.0f} megapixels"
    if isinstance(error, MemoryError):
        return "it does not fit into memory"
    if isinstance(error, zlib.error | SyntaxError | OSError):
        return "it is damaged"
    return "it cannot be decoded"
