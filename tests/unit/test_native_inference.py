"""The native network: each instruction set against whole numbers in NumPy, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from networks import network
from numpy.typing import NDArray

from rlscout.config import NetworkConfig
from rlscout.games import game
from rlscout.inference.calibration import _convolved, calibration_planes, random_positions
from rlscout.inference.native import NativeEvaluator
from rlscout.inference.quantised import HIGHEST, ROOM, STEM_FRACTIONS, Tensors, _Quantiser, _steps, quantised
from rlscout.native import Tower, instruction_sets, masked_softmax
from rlscout.network import U64, Header, folded, planes

I64 = NDArray[np.int64]

SMALL = NetworkConfig(blocks=2, channels=8, policy_channels=3, value_channels=2, value_hidden=16)
HEADERS = [
    Header(
        "othello8", 8, 8, NetworkConfig(blocks=1, channels=40, policy_channels=8, value_channels=5, value_hidden=20)
    ),
    Header("othello6", 6, 6, SMALL),
    Header("mnk:9,9,5", 9, 9, SMALL),
    Header("mnk:15,15,5", 15, 15, SMALL),
    Header("mnk:11,3,3", 3, 11, SMALL),
    Header("mnk:2,3,2", 3, 2, SMALL),
    Header(
        "mnk:3,1,2", 1, 3, NetworkConfig(blocks=1, channels=4, policy_channels=20, value_channels=1, value_hidden=4)
    ),
    Header("othello4", 4, 4, NetworkConfig(blocks=0, channels=70)),
]
NAMES = [header.game for header in HEADERS]


def boards(header: Header, count: int = 21) -> tuple[U64, U64]:
    positions = random_positions(header.game, count)
    return positions, game(header.game).engine.legal(positions)


def convolved(x: I64, weight: I64) -> I64:
    """x [B, I, rows, columns], weight [O, I, 3, 3] -> [B, O, rows, columns]"""
    rows, columns = x.shape[2:]
    padded = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)])
    taps = [(row, column) for row in range(3) for column in range(3)]
    return sum(
        np.einsum("birc,oi->borc", padded[:, :, row : row + rows, column : column + columns], weight[:, :, row, column])
        for row, column in taps
    )


def parts(d: I64) -> I64:
    """The last axis, four neighbours, to their sum, difference, left and right part."""
    return np.stack(
        [d[..., 1] + d[..., 2], d[..., 2] - d[..., 1], d[..., 0] - d[..., 2], d[..., 3] - d[..., 1]], axis=-1
    )


def winograd(x: I64, weight: I64, bias: I64) -> I64:
    """x [B, I, rows, columns], weight [O, I, 4, 4], bias [O, 2, 2] -> [B, O, rows, columns], tile by tile, with terms of 8 bits."""
    rows, columns = x.shape[2:]
    padded = np.pad(x, [(0, 0), (0, 0), (1, 1 + rows % 2), (1, 1 + columns % 2)])
    y = np.zeros((len(x), len(weight), rows + 1, columns + 1), np.int64)
    outputs = np.array([[1, 1, 1, 0], [1, -1, 0, 1]])
    least, greatest = np.full((4, 4), -128), np.full((4, 4), 127)
    least[0, 0], greatest[0, 0] = 0, 255
    for row in range(0, rows, 2):
        for column in range(0, columns, 2):
            along_columns = parts(padded[:, :, row : row + 4, column : column + 4].swapaxes(2, 3)).swapaxes(2, 3)
            terms = np.clip(parts(along_columns), least, greatest)
            products = np.einsum("bikl,oikl->bokl", terms, weight)
            products[:, :, :2, :2] += bias
            y[:, :, row : row + 2, column : column + 2] = outputs @ products @ outputs.T
    return y[:, :, :rows, :columns]


def steps(sums: I64, bias: I64, scale: NDArray[np.float32], added: NDArray[np.float32] | None = None) -> I64:
    y = (sums + bias[:, None, None]).astype(np.float32) * scale[:, None, None]
    return np.rint(np.clip(y if added is None else y + added, 0, HIGHEST)).astype(np.int64)


def reference(
    t: Tensors, header: Header, positions: U64, legal: U64
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Policy and value, in NumPy's whole numbers."""
    whole = {name: tensor.astype(np.int64) for name, tensor in t.items()}
    x = planes(positions, legal, header.rows, header.columns).astype(np.int64)
    sums = convolved(x, whole["stem_weight"]) + whole["stem_bias"][:, None, None]
    x = np.clip((sums + STEM_FRACTIONS // 2) // STEM_FRACTIONS, 0, HIGHEST)
    before = x
    for layer, (weight, bias, scale) in enumerate(
        zip(whole["block_weight"], whole["block_bias"], t["block_scale"], strict=True)
    ):
        sums = winograd(x, weight, bias)
        residual = (
            None if layer % 2 == 0 else before.astype(np.float32) * t["residual_scale"][layer // 2][:, None, None]
        )
        x = steps(sums, np.zeros_like(bias[:, 0, 0]), scale, residual)
        before = before if layer % 2 == 0 else x
    heads = steps(np.einsum("birc,oi->borc", x, whole["head_weight"]), whole["head_bias"], t["head_scale"])
    count = header.architecture.policy_channels
    policy_rows, value_rows = heads[:, :count].reshape(len(x), -1), heads[:, count:].reshape(len(x), -1)
    logits = (policy_rows @ whole["policy_weight"].T) * t["policy_scale"] + t["policy_bias"]
    hidden = np.maximum((value_rows @ whole["hidden_weight"].T) * t["hidden_scale"] + t["hidden_bias"], 0)
    value = np.tanh(hidden @ t["value_weight"] + t["value_bias"][0])
    return masked_softmax(logits.astype(np.float32), legal), value.astype(np.float32)


@pytest.mark.parametrize("header", HEADERS, ids=NAMES)
def test_the_whole_numbers(header: Header) -> None:
    positions, legal = boards(header)
    tensors = quantised(network(header))
    policy, value = reference(tensors, header, positions, legal)
    given = Tower(header.rows, header.columns, tensors, 1, instruction_sets()[0]).evaluate(positions, legal)
    assert np.ptp(value) > 0.01 or header.squares < 4
    np.testing.assert_allclose(given[0], policy, rtol=0, atol=2e-6)
    np.testing.assert_allclose(given[1], value, rtol=0, atol=2e-6)


@pytest.mark.parametrize("header", HEADERS, ids=NAMES)
def test_every_instruction_set_gives_the_same_bits(header: Header) -> None:
    positions, legal = boards(header)
    tensors = quantised(network(header))
    answers = [
        Tower(header.rows, header.columns, tensors, 1, name).evaluate(positions, legal) for name in instruction_sets()
    ]
    assert instruction_sets()[-1] == "portable"
    for policy, value in answers[1:]:
        np.testing.assert_array_equal(policy, answers[0][0])
        np.testing.assert_array_equal(value, answers[0][1])


@pytest.mark.parametrize("scale", [1e-3, 1e10])
def test_extremes_of_the_weights(scale: float) -> None:
    """The greatest sums that are possible are exact, and what is far beyond the highest activation is that."""
    header = HEADERS[0]
    positions, legal = boards(header)
    tensors = quantised(network(header))
    random = np.random.default_rng(1)
    for name in ("block_weight", "head_weight"):
        tensors[name] = random.choice(np.array([-127, 127], np.int8), tensors[name].shape)
    tensors["stem_bias"] = random.choice(np.array([-32767, 32767], np.int16) // 4, tensors["stem_bias"].shape)
    tensors["block_bias"][..., 0, 0] = random.choice(np.array([-(2**29), 2**29]), tensors["block_bias"].shape[:2])
    tensors["block_scale"] = np.full_like(tensors["block_scale"], scale)
    tensors["residual_scale"] *= np.float32(max(scale, 1))
    wanted = reference(tensors, header, positions, legal)
    for name in instruction_sets():
        given = Tower(header.rows, header.columns, tensors, 1, name).evaluate(positions, legal)
        for head, other in zip(given, wanted, strict=True):
            np.testing.assert_allclose(head, other, rtol=0, atol=2e-6)


def test_neither_batch_nor_threads_change_a_bit() -> None:
    header = HEADERS[1]
    positions, legal = boards(header, 40)
    alone = NativeEvaluator(network(header)).evaluate(positions, legal)
    many = NativeEvaluator(network(header), threads=3)
    for size in (40, 1, 9, 0, 17):
        given = many.evaluate(positions[:size], legal[:size])
        np.testing.assert_array_equal(given.policy, alone.policy[:size])
        np.testing.assert_array_equal(given.value, alone.value[:size])


def test_what_does_not_fit_is_said_in_words() -> None:
    header = HEADERS[1]
    tensors = quantised(network(header))
    positions, legal = boards(header)
    tower = Tower(6, 6, tensors, 1, "portable")
    assert tower.instructions == "portable"
    with pytest.raises(ValueError, match=r"positions \[21, 1\] and legal \[21, 1\]: allowed are \[B, 2\] and \[B, 1\]"):
        tower.evaluate(positions[:, :1], legal)
    with pytest.raises(ValueError, match="instructions 'mmx': not on this processor"):
        Tower(6, 6, tensors, 1, "mmx")
    with pytest.raises(ValueError, match="threads 0"):
        Tower(6, 6, tensors, 0, "portable")
    with pytest.raises(ValueError, match="a board of 63 x 1"):
        Tower(1, 63, tensors, 1, "portable")
    with pytest.raises(ValueError, match="a board of 65536 x 65536: 1 to 62 are allowed"):
        Tower(65536, 65536, tensors, 1, "portable")
    with pytest.raises(
        ValueError, match="a network of 3000 channels, heads of 3 and 2: sums of 32 bits hold 2048 channels"
    ):
        Tower(6, 6, {**tensors, "stem_bias": np.zeros(3000, np.int16)}, 1, "portable")
    with pytest.raises(ValueError, match="head_scale has 4 numbers: 5 are allowed"):
        Tower(6, 6, {**tensors, "head_scale": tensors["head_scale"][1:]}, 1, "portable")
    with pytest.raises(ValueError, match="block_weight is missing or of another type"):
        Tower(6, 6, {**tensors, "block_weight": tensors["block_weight"].astype(np.int16)}, 1, "portable")


def test_biases_give_back_what_rounding_and_clipping_take() -> None:
    """On the calibration positions each of the four outputs of a tile is right on average."""
    header, name = HEADERS[1], "blocks.0.first"
    plain = folded(network(header))
    quantiser = _Quantiser(plain, calibration_planes(plain))
    x = next(quantiser.outputs)
    one, input_steps = np.ones(SMALL.channels, np.float32), _steps(x, ROOM)
    layer = quantiser.block_layer(name, x, input_steps, output_steps=one)
    whole = np.rint(x / input_steps).clip(0, HIGHEST).transpose(0, 3, 1, 2).astype(np.int64)
    wanted = _convolved(x, plain, name).transpose(0, 3, 1, 2)

    def off(bias: I64) -> float:
        sums = winograd(whole, layer["weight"].astype(np.int64), bias) * layer["scale"][:, None, None]
        tiles = (sums - wanted).reshape(len(x), SMALL.channels, 3, 2, 3, 2)
        return float(np.abs(tiles.mean(axis=(0, 2, 4))).max())

    plain_bias = np.zeros_like(layer["bias"])
    plain_bias[:, 0, 0] = np.rint(plain.weights[f"{name}.convolution.bias"] / layer["scale"])
    assert off(layer["bias"]) < 2 * layer["scale"].max() < off(plain_bias) / 10
