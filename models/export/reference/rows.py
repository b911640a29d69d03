"""Rows of token ids: padding for every family, prompts and positions for Qwen3-VL."""

from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer


def padded(rows: list[list[int]], pad_id: int, length: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows padded on the right to the longest, or `length`: ids and mask, int64 [rows, length]."""
    length = max(length, *map(len, rows), 1)
    ids = np.full((len(rows), length), pad_id, np.int64)
    mask = np.zeros_like(ids)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = row
        mask[index, : len(row)] = 1
    return ids, mask


@dataclass(frozen=True)
class ImageTokens:
    """The ids that stand for an image: start, then a pad for each of its features, then end."""

    start: int
    pad: int
    end: int

    def row(self, grid: tuple[int, int]) -> list[int]:
        """The tokens of an image of grid = (rows, columns) features."""
        return [self.start, *[self.pad] * (grid[0] * grid[1]), self.end]


def prompted(
    tokenizer: Tokenizer,
    template: str,
    instruction: str,
    text: str,
    grids: list[tuple[int, int]],
    tokens: ImageTokens,
) -> list[int]:
    """Ids of one row: the template with its instruction, and at `{input}` images, then the text."""
    before, after = template.replace("{instruction}", instruction).split("{input}")
    return _ids(tokenizer, [(before, grids), (text + after, [])], tokens)


# A text, and the grids of the images before it.
Side = tuple[str, list[tuple[int, int]]]


def prompted_pair(
    tokenizer: Tokenizer,
    template: str,
    instruction: str,
    query: Side,
    document: Side,
    tokens: ImageTokens,
) -> list[int]:
    """The same of a reranker's template with `{query}` and `{document}`, not cut to any length."""
    before, rest = template.replace("{instruction}", instruction).split("{query}")
    between, after = rest.split("{document}")
    parts = [(before, query[1]), (query[0] + between, document[1]), (document[0] + after, [])]
    return _ids(tokenizer, parts, tokens)


def _ids(
    tokenizer: Tokenizer, parts: list[tuple[str, list[tuple[int, int]]]], tokens: ImageTokens
) -> list[int]:
    """Ids of texts, each with the grids of the images behind it; the last one has none.

    An image stands between special tokens, which nothing merges with: texts end there only.
    """
    ids, text = [], ""
    for part, grids in parts:
        text += part
        if grids:
            ids += tokenizer.encode(text, add_special_tokens=False).ids
            ids += [token for grid in grids for token in tokens.row(grid)]
            text = ""
    return ids + tokenizer.encode(text).ids


def positions(row: list[int], grids: list[tuple[int, int]], pad: int) -> np.ndarray:
    """M-RoPE positions int64 [3, tokens]: time, height and width, as get_rope_index counts.

    A text token is one step on all three axes. An image's features share a time; its rows and
    columns count from there, and what follows begins behind the larger of the two.
    """
    axes = np.zeros((3, len(row)), np.int64)
    images, index, now = iter(grids), 0, 0
    while index < len(row):
        if row[index] != pad:
            axes[:, index] = now
            index, now = index + 1, now + 1
            continue
        height, width = next(images)
        part = slice(index, index + height * width)
        axes[0, part] = now
        axes[1, part] = now + np.repeat(np.arange(height), width)
        axes[2, part] = now + np.tile(np.arange(width), height)
        index, now = part.stop, now + max(height, width)
    return axes


def batch_positions(
    rows: list[list[int]], grids: list[list[tuple[int, int]]], pad: int
) -> np.ndarray:
    """Positions of padded rows, int64 [3, rows, length]; padding has 0, which nothing looks at."""
    length = max(map(len, rows))
    axes = np.zeros((3, len(rows), length), np.int64)
    for index, (row, images) in enumerate(zip(rows, grids, strict=True)):
        axes[:, index, : len(row)] = positions(row, images, pad)
    return axes
