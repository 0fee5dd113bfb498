"""Examples made by hand, put beside the other measures of a sample."""

from __future__ import annotations

import base64
import copy
import struct
import zlib
from typing import Any


def a_png(width: int = 3, height: int = 2, level: int = 90) -> str:
    """A grey picture, written by the book."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    lines = b"".join(b"\0" + bytes([level + place % 7] * width) for place in range(height))
    raw = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(lines))
        + chunk(b"IEND", b"")
    )
    return base64.b64encode(raw).decode("ascii")


def an_example(
    row: int, is_right: bool, *chosen: tuple[str, str], said: str = "No", png: str = ""
) -> dict[str, Any]:
    weights = [[0.0] * 7 for _ in range(7)]
    weights[6][0], weights[0][6] = 1.0, -0.5
    parts = [["Call ", 0.1], ["NOW ", 1.0], ["or ", 0.0], ["never", -0.6]]
    return {
        "row": row,
        "chosen": [{"why": why, "against": against} for why, against in chosen],
        "truth": said if is_right else "Yes",
        "answer": said,
        "right": is_right,
        "probability": 0.93,
        "shown": [
            {"column": "message", "is": "text", "parts": parts, "cut": [True, False], "largest": 0.2},
            {
                "column": "photo",
                "is": "picture",
                "png": png,
                "size": [40, 60],
                "weights": weights,
                "largest": 0.2,
            },
        ],
        "cells": {"age": "41", "plan": "monthly"},
    }


def with_examples(result: dict[str, Any]) -> dict[str, Any]:
    """The result with examples of both families, learned filters, drawn gradients and weaknesses."""
    made = copy.deepcopy(result)
    for name, other in (("classical", "deep"), ("deep", "classical")):
        own = name == "classical"
        rows = [
            an_example(7, own, ("alone_right" if own else "alone_wrong", other), png=a_png() if own else ""),
            an_example(8, True, ("right", ""), png=a_png(3, 2, 10)),
            an_example(9, False, ("wrong", ""), ("unsure", ""), png=a_png(2, 3, 200)),
        ]
        made["measures"][name]["examples"] = {"columns": ["message", "photo"], "rows": rows}
        made["measures"][name]["weaknesses"] = [
            {
                "column": "photo",
                "fact": "brightness",
                "from": 0.1 * place,
                "to": 0.1 + 0.1 * place,
                "rows": 60,
                "score": 80.0,
                "gap": 3.0 - 2 * place,
                "low": 1.0 - 2 * place,
                "high": 5.0 - 2 * place,
            }
            for place in range(3)
        ]
    drawn = {"png": a_png(8, 8), "size": [40, 60], "cells": ["012345678"] * 64}
    made["measures"]["classical"]["examples"]["gradients"] = drawn
    made["measures"]["deep"]["examples"]["filters"] = [a_png(5, 5, 10 * place) for place in range(4)]
    return made


def hostile_examples(result: dict[str, Any], probe: str) -> dict[str, Any]:
    """Likewise, with this text in every place that holds text."""
    made = with_examples(result)
    for name in ("classical", "deep"):
        found = made["measures"][name]["examples"]
        found["columns"] = [probe]
        for one in found["rows"]:
            one |= {"truth": probe, "answer": probe, "cells": {probe: probe}}
            one["shown"][0] |= {"column": probe, "parts": [[probe, 1.0], [probe, 0.0], [probe, -1.0]]}
            one["shown"][1] |= {"column": probe}
        for one in made["measures"][name]["weaknesses"]:
            one |= {"column": probe, "fact": probe}
    return made
