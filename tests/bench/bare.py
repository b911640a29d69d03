"""The other side of a comparison: what a careful Python program does with a model directory.

tokenizers, Pillow and onnxruntime over the same graphs, with our session options and our batches
(crates/inference: sort by length, a budget of padded tokens a run), in one process.
"""

import io
import math
import tomllib
from collections import defaultdict
from pathlib import Path

import numpy as np
import onnxruntime
from inputs import Row
from PIL import Image
from tokenizers import Tokenizer

FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
# SigLIP: a picture counts as one token for each patch of 16 * 16.
PIXELS_A_TOKEN = 256


def open_bare(directory: Path, threads: int, batch_tokens: int) -> "Bare":
    """The model's family by its manifest."""
    manifest = tomllib.loads((directory / "model.toml").read_text(encoding="utf-8"))
    families = {"siglip": Siglip, "siglip2": Siglip, "qwen3_vl": Qwen3VL}
    return families.get(manifest["architecture"], Encoder)(
        directory, manifest, threads, batch_tokens
    )


class Bare:
    """What the families share: sessions, a tokenizer, batches, pictures."""

    def __init__(self, directory: Path, manifest: dict, threads: int, batch_tokens: int):
        self.directory, self.manifest = directory, manifest
        self.threads, self.batch_tokens = threads, batch_tokens
        self.dimensions = manifest.get("dimensions")  # none of a reranker
        self.image = manifest.get("image", {})
        text = manifest.get("text", {"tokenizer": "tokenizer.json"})
        self.pad = text.get("pad_token_id", 0)
        self.tokenizer = Tokenizer.from_file(str(directory / text["tokenizer"]))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(manifest["max_tokens"])
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}

    def embed(self, rows: list[Row]) -> np.ndarray:
        """Vectors of the rows, float32 [rows, dimensions]."""
        raise NotImplementedError

    def run(self, graph: str, outputs: list[str], feed: dict) -> list[np.ndarray]:
        """One run; a graph is loaded at its first."""
        if graph not in self._sessions:
            self._sessions[graph] = self._load(graph)
        return self._sessions[graph].run(outputs, feed)

    def _load(self, graph: str) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.enable_mem_pattern = False
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        packed = self.manifest["precision"] in ("int8", "int4")
        options.add_session_config_entry("session.disable_prepacking", "0" if packed else "1")
        path = str(self.directory / graph)
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def batches(self, lengths: list[int]) -> list[list[int]]:
        """Rows that run together: longest first, at most `batch_tokens` padded tokens."""
        order = sorted(range(len(lengths)), key=lambda n: -lengths[n])
        found = []
        while order:
            size = max(1, self.batch_tokens // lengths[order[0]])
            found.append(order[:size])
            order = order[size:]
        return found

    def padded(self, ids: list[list[int]], length: int) -> tuple[np.ndarray, np.ndarray]:
        """Ids and mask, int64 [rows, length]."""
        rows = np.full((len(ids), length), self.pad, dtype=np.int64)
        mask = np.zeros_like(rows)
        for n, row in enumerate(ids):
            rows[n, : len(row)] = row
            mask[n, : len(row)] = 1
        return rows, mask

    def pixels(self, picture: Image.Image, width: int, height: int) -> np.ndarray:
        """uint8 [height, width, 3]."""
        return np.asarray(picture.resize((width, height), FILTERS[self.image["resample"]]))


def decoded(image: bytes) -> Image.Image:
    """RGB; what is transparent is put on white."""
    picture = Image.open(io.BytesIO(image))
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    picture = picture.convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture).convert("RGB")


class Encoder(Bare):
    """Encoders of the BERT and XLM-RoBERTa kind; rows are texts."""

    def embed(self, rows: list[Row]) -> np.ndarray:
        """Batched by length."""
        prompt = self.manifest["prompts"]["document"]
        encoded = self.tokenizer.encode_batch([prompt + text for text, _ in rows])
        ids = [one.ids for one in encoded]
        graph = self.manifest.get("text", {}).get("graph", "model.onnx")
        vectors = np.empty((len(rows), self.dimensions), dtype=np.float32)
        for batch in self.batches([len(row) for row in ids]):
            members = [ids[n] for n in batch]
            padded, mask = self.padded(members, max(map(len, members)))
            feed = {"input_ids": padded, "attention_mask": mask}
            vectors[batch] = self.run(graph, ["sentence_embedding"], feed)[0]
        return vectors


class Siglip(Bare):
    """Two towers; the rows of one call are all texts, or all images."""

    def embed(self, rows: list[Row]) -> np.ndarray:
        """By the tower of the first row."""
        texts = [text for text, _ in rows if text is not None]
        return self._texts(texts) if texts else self._images([image for _, image in rows])

    def _texts(self, texts: list[str]) -> np.ndarray:
        length = self.manifest["max_tokens"]
        prompt = self.manifest["prompts"]["document"]
        ids = [one.ids for one in self.tokenizer.encode_batch([prompt + text for text in texts])]
        graph = self.manifest["text"]["graph"]
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        for batch in self.batches([length] * len(texts)):
            padded, _ = self.padded([ids[n] for n in batch], length)
            vectors[batch] = self.run(graph, ["sentence_embedding"], {"input_ids": padded})[0]
        return vectors

    def _images(self, images: list[bytes]) -> np.ndarray:
        width, height = self.image["width"], self.image["height"]
        tokens = math.ceil(width * height / PIXELS_A_TOKEN)
        vectors = np.empty((len(images), self.dimensions), dtype=np.float32)
        for batch in self.batches([tokens] * len(images)):
            pixels = np.stack([self.pixels(decoded(images[n]), width, height) for n in batch])
            feed = {"pixels": pixels}
            vectors[batch] = self.run(self.image["graph"], ["image_embedding"], feed)[0]
        return vectors


class Qwen3VL(Bare):
    """Qwen3-VL as an embedder: a row is a text, an image, or both."""

    def embed(self, rows: list[Row]) -> np.ndarray:
        """Texts batched by length, their images by size."""
        pictures = [decoded(image) if image else None for _, image in rows]
        grids = [self._grid(picture) if picture else None for picture in pictures]
        prompts = [self._prompt(text, grid) for (text, _), grid in zip(rows, grids, strict=True)]
        ids = [one.ids for one in self.tokenizer.encode_batch(prompts)]
        vectors = np.empty((len(rows), self.dimensions), dtype=np.float32)
        for batch in self.batches([len(row) for row in ids]):
            members = [ids[n] for n in batch]
            shown = [(pictures[n], grids[n]) for n in batch if pictures[n]]
            vectors[batch] = self._run_text(members, [grids[n] for n in batch], shown)
        return vectors

    def _prompt(self, text: str | None, grid: tuple[int, int] | None) -> str:
        template = self.manifest["prompts"]["document"]
        instruction = self.manifest["prompts"]["instruction"]
        tokens = {kind: self._token(f"{kind}_token_id") for kind in ("start", "pad", "end")}
        image = ""
        if grid:
            image = tokens["start"] + tokens["pad"] * math.prod(grid) + tokens["end"]
        body = image + (text or "")
        return template.replace("{instruction}", instruction).replace("{input}", body)

    def _token(self, key: str) -> str:
        return self.tokenizer.id_to_token(self.image[key])

    def _grid(self, picture: Image.Image) -> tuple[int, int]:
        """Rows and columns of tokens: sides to multiples of the factor, within the limits."""
        factor, sides = self.image["factor"], (picture.height, picture.width)
        smallest, largest = (self.image[f"{which}_pixels"] for which in ("min", "max"))
        grid = [max(1, round(side / factor)) for side in sides]
        pixels = math.prod(grid) * factor**2
        if not smallest <= pixels <= largest:
            limit, cut = (largest, math.floor) if pixels > largest else (smallest, math.ceil)
            scale = math.sqrt(limit / math.prod(sides))
            grid = [max(1, cut(side * scale / factor)) for side in sides]
        return grid[0], grid[1]

    def _run_text(self, ids: list[list[int]], grids: list, shown: list) -> np.ndarray:
        length = max(map(len, ids))
        padded, mask = self.padded(ids, length)
        features, deepstack = self._features(shown)
        feed = {
            "input_ids": padded,
            "attention_mask": mask,
            "position_ids": np.stack(
                [self._positions(row, grid, length) for row, grid in zip(ids, grids, strict=True)],
                axis=1,
            ),
            "image_embeds": features,
            "deepstack": deepstack,
        }
        return self.run(self.manifest["text"]["graph"], ["sentence_embedding"], feed)[0]

    def _features(self, shown: list) -> tuple[np.ndarray, np.ndarray]:
        """Features [N, D] and deepstack [K, N, D] of pictures; those of one size run together."""
        width, layers, factor = self.dimensions, self.image["deepstack"], self.image["factor"]
        if not shown:
            return np.zeros((0, width), np.float32), np.zeros((layers, 0, width), np.float32)
        by_grid = defaultdict(list)
        for number, (_, grid) in enumerate(shown):
            by_grid[grid].append(number)
        found = [None] * len(shown)
        for (rows, columns), numbers in by_grid.items():
            count = rows * columns
            together = max(1, self.batch_tokens // count)
            for start in range(0, len(numbers), together):
                chunk = numbers[start : start + together]
                size = columns * factor, rows * factor
                pixels = np.stack([self.pixels(shown[n][0], *size) for n in chunk])
                outputs = ["image_embeds", "deepstack"]
                features, deep = self.run(self.image["graph"], outputs, {"pixels": pixels})
                for place, n in enumerate(chunk):
                    part = slice(place * count, (place + 1) * count)
                    found[n] = features[part], deep[:, part]
        return (
            np.concatenate([features for features, _ in found]),
            np.concatenate([deep for _, deep in found], axis=1),
        )

    def _positions(self, ids: list[int], grid: tuple[int, int] | None, length: int) -> np.ndarray:
        """M-RoPE, int64 [3, length]: time, height and width of each token; 1 at padding.

        As get_rope_index of transformers' Qwen3-VL, for at most one image.
        """
        found = np.ones((3, length), np.int64)
        if not grid:
            found[:, : len(ids)] = np.arange(len(ids))
            return found
        first, count = ids.index(self.image["pad_token_id"]), math.prod(grid)
        found[:, :first] = np.arange(first)
        rows, columns = np.unravel_index(np.arange(count), grid)
        image = slice(first, first + count)
        found[0, image], found[1, image], found[2, image] = first, first + rows, first + columns
        rest = len(ids) - first - count
        found[:, first + count : len(ids)] = first + max(grid) + np.arange(rest)
        return found
