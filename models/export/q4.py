"""Block-wise 4-bit weights (ggml's Q4_0): 32 values share a scale, value = (nibble - 8) * scale."""

from dataclasses import dataclass

import numpy as np

BLOCK = 32
ZERO_POINT = 8
SLICE_ROWS = 4096


@dataclass(frozen=True)
class Q4:
    """A matrix in torch layout [rows = outputs, columns = inputs].

    nibbles: uint8 [rows, columns], each 0..15; scales: float32 [rows, columns / BLOCK].
    """

    nibbles: np.ndarray
    scales: np.ndarray

    def dequantize(self) -> np.ndarray:
        """float32 [rows, columns]; exact, since 4 bits times an fp16 scale fit a float32."""
        rows, columns = self.nibbles.shape
        values = self.nibbles.astype(np.float32)
        values -= ZERO_POINT
        blocks = values.reshape(rows, columns // BLOCK, BLOCK)
        blocks *= self.scales[..., None]
        return values

    def packed(self) -> np.ndarray:
        """uint8 [rows, columns / 2], the even column in the low nibble.

        The layout that MatMulNBits and GatherBlockQuantized (com.microsoft) both read.
        """
        packed = self.nibbles[:, 1::2] << 4
        packed |= self.nibbles[:, 0::2]
        return packed


def quantize(weight: np.ndarray) -> Q4:
    """Round float32 [rows, columns] to the nearest Q4_0 value; columns must be a multiple of 32.

    As in ggml's `quantize_row_q4_0`: the value of largest magnitude in a block maps to nibble 0,
    so that the one extra step of the signed range (-8) is used. Rows are taken in slices, since the
    steps in between need several times the room of what they work on.
    """
    rows, columns = weight.shape
    nibbles = np.empty((rows, columns), np.uint8)
    scales = np.empty((rows, columns // BLOCK), np.float32)
    for start in range(0, rows, SLICE_ROWS):
        part = slice(start, start + SLICE_ROWS)
        nibbles[part], scales[part] = _quantize_rows(weight[part])
    return Q4(nibbles, scales)


def _quantize_rows(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = weight.shape
    blocks = weight.astype(np.float32, copy=False).reshape(rows, columns // BLOCK, BLOCK)
    largest = np.abs(blocks).argmax(axis=2)[..., None]
    scales = np.take_along_axis(blocks, largest, axis=2) / -ZERO_POINT
    inverse = np.divide(1.0, scales, out=np.zeros_like(scales), where=scales != 0)
    nibbles = np.clip(np.floor(blocks * inverse + ZERO_POINT + 0.5), 0, 15).astype(np.uint8)
    return nibbles.reshape(rows, columns), scales[..., 0]
