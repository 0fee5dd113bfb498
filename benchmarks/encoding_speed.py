"""Texts a second: our reading with an encoder against the loop a good engineer writes around transformers.

    python benchmarks/encoding_speed.py [--texts 400] [--rounds 3]

Both read the same texts in one process, in turns, on one thread; the best round of each counts. The plain loop sorts by
length, pads each batch to its longest text and takes the mean, in single precision and with bfloat16 autocast.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
import transformers

from fathometer.data.encoders import installed
from fathometer.learners._encoder_texts import TorchTextReader

LENGTH = 256
BATCHES = (32, 64)


def plain_loop(folder: Path, coarse: bool, batch: int) -> Callable[[list[str]], npt.NDArray[np.float32]]:
    """The usual loop: sorted by length, padded to the longest of the batch, the mean of the tokens, length one."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = transformers.AutoModel.from_pretrained(folder, local_files_only=True).eval()

    def embed(texts: list[str]) -> npt.NDArray[np.float32]:
        order = np.argsort([len(text) for text in texts], kind="stable")
        rows = np.zeros((len(texts), model.config.hidden_size), dtype=np.float32)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=coarse):
            for start in range(0, len(order), batch):
                some = order[start : start + batch]
                given = tokenizer(
                    [texts[i] for i in some],
                    padding=True,
                    truncation=True,
                    max_length=LENGTH,
                    return_tensors="pt",
                )
                hidden = model(**given).last_hidden_state.float()
                known = given["attention_mask"].unsqueeze(2).float()
                mean = (hidden * known).sum(1) / known.sum(1)
                rows[some] = torch.nn.functional.normalize(mean, dim=1).numpy()
        return rows

    return embed


def sample(count: int, seed: int = 0) -> list[str]:
    """Texts of common words, most of 10 to 60 words, a few of 200."""
    rng = np.random.default_rng(seed)
    common = "the of and market game shares oil said new players win season computer software world minister"
    lengths = np.where(rng.random(count) < 0.1, 200, rng.integers(10, 60, count))
    return [" ".join(rng.choice(common.split(), length)) for length in lengths]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--texts", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    folder = Path(installed()[0].folder)
    texts = sample(asked.texts)
    values = pd.Series(texts, dtype=object)
    ways: dict[str, Callable[[], npt.NDArray[np.float32]]] = {}
    for coarse, name in ((False, "single precision"), (True, "bfloat16")):
        reader = TorchTextReader(folder, coarse)
        ways[f"ours, {name}"] = lambda reader=reader: reader.embed(values, LENGTH)  # type: ignore[misc]
        for batch in BATCHES:
            loop = plain_loop(folder, coarse, batch)
            ways[f"plain loop of {batch}, {name}"] = lambda loop=loop: loop(texts)  # type: ignore[misc]
    answers = {name: way() for name, way in ways.items()}  # the first time prepares
    best = dict.fromkeys(ways, np.inf)
    for _ in range(asked.rounds):
        for name, way in ways.items():
            started = time.process_time()
            way()
            best[name] = min(best[name], time.process_time() - started)
    trusted = answers[f"plain loop of {BATCHES[0]}, single precision"]
    for name, seconds in best.items():
        alike = float((answers[name] * trusted).sum(axis=1).min())
        print(f"{name:36s} {len(texts) / seconds:8.0f} texts/s   least cosine {alike:.5f}")


if __name__ == "__main__":
    main()
