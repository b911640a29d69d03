"""Rounding to 4 bits."""

import tracemalloc

import numpy as np
from export.q4 import Q4, SLICE_ROWS, quantize


def test_values_on_the_grid_survive():
    random = np.random.default_rng(0)
    nibbles = random.integers(0, 16, (4, 64), dtype=np.uint8)
    nibbles[:, ::32] = 0  # the largest magnitude of a block, which fixes its scale
    weight = Q4(nibbles, np.full((4, 2), 0.25, np.float32)).dequantize()
    np.testing.assert_array_equal(quantize(weight).dequantize(), weight)


def test_error_stays_within_one_step():
    weight = np.random.default_rng(1).standard_normal((8, 96)).astype(np.float32)
    rounded = quantize(weight)
    step = np.repeat(np.abs(rounded.scales), 32, axis=1)
    assert (np.abs(rounded.dequantize() - weight) <= step * 1.0001).all()


def test_a_block_of_zeros_stays_zero():
    np.testing.assert_array_equal(quantize(np.zeros((1, 32), np.float32)).dequantize(), 0)


def test_the_even_column_is_packed_low():
    nibbles = np.arange(32, dtype=np.uint8)[None] % 16
    assert Q4(nibbles, np.ones((1, 1), np.float32)).packed()[0, :2].tolist() == [0x10, 0x32]


def test_a_table_is_rounded_row_by_row_in_little_room():
    weight = np.random.default_rng(2).standard_normal((10 * SLICE_ROWS + 1, 32), np.float32)
    tracemalloc.start()
    whole = quantize(weight)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < weight.nbytes
    for rows in (slice(SLICE_ROWS - 3, SLICE_ROWS + 3), slice(-1, None)):
        part = quantize(weight[rows])
        np.testing.assert_array_equal(whole.nibbles[rows], part.nibbles)
        np.testing.assert_array_equal(whole.scales[rows], part.scales)
