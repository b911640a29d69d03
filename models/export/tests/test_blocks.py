"""Rounding to 4 and 8 bits."""

import tracemalloc

import numpy as np
import pytest
from export.blocks import BLOCK, Blocks, quantize, stacked


def test_values_on_the_4_bit_grid_survive():
    random = np.random.default_rng(0)
    values = random.integers(0, 16, (4, 64), dtype=np.uint8)
    values[:, ::BLOCK] = 0  # the largest magnitude of a block, which fixes its scale
    weight = Blocks(4, values, np.full((4, 2), 0.25, np.float32), 64).dequantize()
    np.testing.assert_array_equal(quantize(weight, 4).dequantize(), weight)


def test_values_on_the_8_bit_grid_survive():
    values = np.random.default_rng(0).integers(1, 256, (4, 64), dtype=np.uint8)
    values[:, ::BLOCK] = 255
    weight = Blocks(8, values, np.full((4, 2), 0.25, np.float32), 64).dequantize()
    np.testing.assert_array_equal(quantize(weight, 8).dequantize(), weight)


# at 4 bits the positive end of a block may lack the last step
@pytest.mark.parametrize(("bits", "steps"), [(4, 1.0), (8, 0.5)])
@pytest.mark.parametrize("columns", [96, 40, 7])
def test_error_stays_within_steps(bits, steps, columns):
    weight = np.random.default_rng(1).standard_normal((8, columns)).astype(np.float32)
    rounded = quantize(weight, bits)
    step = np.repeat(np.abs(rounded.scales), BLOCK, axis=1)[:, :columns]
    assert (np.abs(rounded.dequantize() - weight) <= steps * step * 1.0001).all()


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("value", [0.0, 1e-42])
def test_a_block_of_next_to_nothing_is_zero(bits, value):
    rounded = quantize(np.full((1, 32), value, np.float32), bits)
    assert (rounded.values == rounded.zero_point).all()
    np.testing.assert_array_equal(rounded.dequantize(), 0)


@pytest.mark.parametrize("bits", [4, 8])
def test_the_last_block_is_filled_with_zeros(bits):
    rounded = quantize(np.ones((2, 33), np.float32), bits)
    assert rounded.values.shape == (2, 64)
    assert (rounded.values[:, 33:] == rounded.zero_point).all()


def test_the_even_column_is_packed_low():
    values = np.arange(32, dtype=np.uint8)[None] % 16
    packed = Blocks(4, values, np.ones((1, 1), np.float32), 32).packed()
    assert packed[0, :2].tolist() == [0x10, 0x32]


def test_stacking_is_quantising_what_is_stacked():
    weight = np.random.default_rng(3).standard_normal((6, 64)).astype(np.float32)
    parts = stacked([quantize(weight[:2], 8), quantize(weight[2:], 8)])
    np.testing.assert_array_equal(parts.values, quantize(weight, 8).values)
    np.testing.assert_array_equal(parts.scales, quantize(weight, 8).scales)


@pytest.mark.parametrize("bits", [4, 8])
def test_a_table_is_rounded_row_by_row_in_little_room(bits):
    weight = np.random.default_rng(2).standard_normal((160_001, 32), np.float32)
    tracemalloc.start()
    whole = quantize(weight, bits)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < weight.nbytes
    for rows in (slice(16_000, 17_000), slice(-1, None)):
        part = quantize(weight[rows], bits)
        np.testing.assert_array_equal(whole.values[rows], part.values)
        np.testing.assert_array_equal(whole.scales[rows], part.scales)
