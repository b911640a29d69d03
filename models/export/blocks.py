"""Block-wise integer weights: 32 values share a scale, value = (integer - zero point) * scale.

4 bits round as ggml's Q4_0 does, 8 bits as its Q8_0: to the nearest of 255 steps around zero.
"""

from dataclasses import dataclass

import numpy as np

BLOCK = 32
# Rounding needs several times the room of what it works on, so rows are taken in slices.
SLICE_VALUES = 1 << 19
SMALLEST_SCALE = 1e-37


@dataclass(frozen=True)
class Blocks:
    """A matrix in torch layout [rows = outputs, columns = inputs].

    values: uint8 [rows, whole blocks * BLOCK], each 0 .. 2^bits - 1; scales: float32
    [rows, blocks]. Columns behind `columns` fill the last block with zeros.
    """

    bits: int
    values: np.ndarray
    scales: np.ndarray
    columns: int

    @property
    def zero_point(self) -> int:
        """The integer that stands for 0."""
        return 1 << (self.bits - 1)

    def dequantize(self) -> np.ndarray:
        """float32 [rows, columns]; exact, since 8 bits times an fp16 scale fit a float32."""
        values = self.values.astype(np.float32)
        values -= self.zero_point
        blocks = values.reshape(*self.scales.shape, BLOCK)
        blocks *= self.scales[..., None]
        return values[:, : self.columns]

    def packed(self) -> np.ndarray:
        """uint8 [rows, whole blocks * BLOCK * bits / 8], an even column in a byte's low half.

        The layout that MatMulNBits and GatherBlockQuantized (com.microsoft) both read.
        """
        if self.bits == 8:
            return self.values
        packed = self.values[:, 1::2] << 4
        packed |= self.values[:, 0::2]
        return packed


def stacked(parts: list[Blocks]) -> Blocks:
    """The rows of several matrices of one width below each other."""
    return Blocks(
        parts[0].bits,
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.scales for part in parts]),
        parts[0].columns,
    )


def quantize(weight: np.ndarray, bits: int) -> Blocks:
    """Round float32 [rows, columns] to the nearest value of its block's grid.

    4 bits as in ggml's `quantize_row_q4_0`: the value of largest magnitude in a block maps to 0, so
    that the one extra step of the signed range (-8) is used. 8 bits: it maps to ±127.
    """
    rows, columns = weight.shape
    blocks = -(-columns // BLOCK)
    values = np.empty((rows, blocks * BLOCK), np.uint8)
    scales = np.empty((rows, blocks), np.float32)
    round_rows = _round_to_4_bits if bits == 4 else _round_to_8_bits
    step = max(1, SLICE_VALUES // columns)
    for start in range(0, rows, step):
        part = slice(start, start + step)
        padded = np.pad(weight[part], ((0, 0), (0, blocks * BLOCK - columns)))
        rounded, scale = round_rows(padded.reshape(len(padded), blocks, BLOCK))
        values[part], scales[part] = rounded.reshape(len(padded), -1), scale
    return Blocks(bits, values, scales, columns)


def _round_to_4_bits(blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    largest = np.abs(blocks).argmax(axis=2)[..., None]
    scales = np.take_along_axis(blocks, largest, axis=2) / -8
    values = np.floor(blocks * _inverse(scales) + 8.5)
    return np.clip(values, 0, 15).astype(np.uint8), scales[..., 0]


def _round_to_8_bits(blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scales = np.maximum(blocks.max(axis=2), -blocks.min(axis=2))[..., None] / 127
    values = blocks * _inverse(scales)
    values += 128.5
    return values.astype(np.uint8), scales[..., 0]


def _inverse(scales: np.ndarray) -> np.ndarray:
    """1 / scale; 0 where a block is all zeros, or so small that 1 / scale would be infinite."""
    usable = np.abs(scales) > SMALLEST_SCALE
    return np.divide(1.0, scales, out=np.zeros_like(scales), where=usable)
