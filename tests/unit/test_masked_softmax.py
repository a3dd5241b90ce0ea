"""From logits to policies, against the formula in double precision."""

from __future__ import annotations

import numpy as np
import pytest

from rlscout.native import masked_softmax
from rlscout.network import bits


@pytest.mark.parametrize("squares", [9, 36, 64, 81, 225])
def test_the_formula(squares: int) -> None:
    random = np.random.default_rng(squares)
    logits = random.normal(0, 4, (50, squares)).astype(np.float32)
    legal = random.integers(0, 2**64, (50, -(-squares // 64)), np.uint64)  # bits beyond the board as well
    legal[7] = 0
    allowed = bits(legal, squares).astype(bool)
    logits[~allowed] += 1e4  # an illegal move counts for nothing, whatever its logit
    weights = np.where(allowed, np.exp(np.where(allowed, logits, 0).astype(float)), 0)
    policy = masked_softmax(logits, legal)
    assert policy.dtype == np.float32
    np.testing.assert_allclose(policy, weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-300), atol=1e-6)
    assert (policy[~allowed] == 0).all()
    assert (policy[7] == 0).all()


def test_extremes() -> None:
    legal = np.array([[0b111]], np.uint64)
    largest = np.finfo(np.float32).max
    assert masked_softmax(np.array([[largest, -largest, 0]], np.float32), legal).tolist() == [[1, 0, 0]]
    assert masked_softmax(np.full((1, 3), -largest, np.float32), legal)[0] == pytest.approx([1 / 3] * 3)
    assert np.isnan(masked_softmax(np.array([[np.nan, 0, 0]], np.float32), legal)).any()  # a search refuses that
    assert masked_softmax(np.zeros((0, 3), np.float32), np.zeros((0, 1), np.uint64)).shape == (0, 3)


@pytest.mark.parametrize(("logits", "legal"), [((2, 3), (1, 1)), ((2, 65), (2, 1)), ((2, 3), (2, 2)), ((3,), (1, 1))])
def test_shapes_that_do_not_fit(logits: tuple[int, ...], legal: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="allowed are \\[B, S\\] and \\[B, W\\]"):
        masked_softmax(np.zeros(logits, np.float32), np.zeros(legal, np.uint64))
