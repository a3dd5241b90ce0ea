"""The CUDA kernel of a small network, without a GPU: its threads are fibers of a CPU (helpers/cuda_on_cpu.h)."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from networks import network

from rlscout.config import NetworkConfig
from rlscout.games import game
from rlscout.inference import make_evaluator
from rlscout.inference.calibration import random_positions
from rlscout.inference.fused import fused, source
from rlscout.network import F32, U64, Header, bits

COMPILER = shutil.which("c++")
HELPERS = Path(__file__).parents[1] / "helpers"
HOPPER = 232448
"""Bytes of shared memory a block may have."""
ENTRY = """
struct Arguments {
  const u64 *positions, *legal; int count; const Words4* stages; const Words2 *planes, *policy_weights, *hidden_weights;
  const float* biases; u16* policy; float* value;
};
static Arguments given;
extern "C" void run(const u64* positions, const u64* legal, int count, const Words4* stages, const Words2* planes, const Words2* policy_weights,
                    const Words2* hidden_weights, const float* biases, u16* policy, float* value) {
  given = {positions, legal, count, stages, planes, policy_weights, hidden_weights, biases, policy, value};
  for (blockIdx.x = 0; blockIdx.x * WARPS < count; ++blockIdx.x)
    fibers::run_block([] {
      tower(given.positions, given.legal, given.count, given.stages, given.planes, given.policy_weights, given.hidden_weights, given.biases,
            given.policy, given.value);
    });
}
"""


def answers(header: Header, shared_bytes: int, positions: U64, legal: U64, folder: Path) -> tuple[F32, F32]:
    """Of the kernel, compiled for a CPU."""
    shape = fused(header, shared_bytes)
    assert shape is not None
    (folder / "tower.cpp").write_text(source() + ENTRY)
    library = folder / "tower.so"
    defines = [f"-D{name}={value}" for name, value in shape.macros().items()]
    subprocess.run(
        [
            str(COMPILER), "-std=c++20", "-O2", "-march=native", "-shared", "-fPIC", "-w", f"-I{HELPERS}", *defines,
            "-o", str(library), str(folder / "tower.cpp"),
        ],
        check=True,
    )  # fmt: skip
    run = ctypes.CDLL(str(library)).run
    weights = shape.weights(network(header))
    policy = np.full((len(positions) + 1, header.squares), 7.0, np.float16)
    value = np.full(len(positions) + 1, 7.0, np.float32)
    pointer = [array.ctypes.data_as(ctypes.c_void_p) for array in (positions, legal, *weights, policy, value)]
    run(*pointer[:2], len(positions), *pointer[2:])
    assert (policy[-1] == 7).all()
    assert value[-1] == 7
    return policy[:-1].astype(np.float32), value[:-1]


SHAPES = {
    "othello8": (Header("othello8", 8, 8, NetworkConfig(2, 64)), HOPPER),
    "othello8, batch norm, little shared memory": (Header("othello8", 8, 8, NetworkConfig(1, 20, batch_norm=True)), 99 << 10),
    "othello6": (Header("othello6", 6, 6, NetworkConfig(1, 32, 3, 2, 20)), HOPPER),
    "mnk:4,3,3": (Header("mnk:4,3,3", 3, 4, NetworkConfig(0, 16, 1, 1, 12)), HOPPER),
    "mnk:7,5,4": (Header("mnk:7,5,4", 5, 7, NetworkConfig(1, 48, 20, 5, 100)), HOPPER),
}  # fmt: skip


@pytest.mark.skipif(COMPILER is None, reason="no C++ compiler")
@pytest.mark.parametrize("name", SHAPES)
def test_the_kernel_answers_as_the_network(name: str, tmp_path: Path) -> None:
    header, shared_bytes = SHAPES[name]
    positions = random_positions(header.game, 11)
    legal = game(header.game).engine.legal(positions)
    legal[-1] = 0
    policy, value = answers(header, shared_bytes, positions, legal, tmp_path)
    wanted = make_evaluator("torch", network(header), "cpu").evaluate(positions, legal)
    assert np.std(wanted.value) > 0.01
    np.testing.assert_allclose(policy, wanted.policy, rtol=0, atol=3e-3)
    np.testing.assert_allclose(value, wanted.value, rtol=0, atol=3e-3)
    assert (policy[bits(legal, header.squares) == 0] == 0).all()


@pytest.mark.parametrize(
    "header",
    [
        Header("mnk:9,9,5", 9, 9, NetworkConfig()),
        Header("othello8", 8, 8, NetworkConfig(2, 65)),
        Header("othello8", 8, 8, NetworkConfig(2, 64, policy_channels=62, value_channels=3)),
    ],
    ids=["board", "tower", "heads"],
)
def test_what_does_not_fit(header: Header) -> None:
    assert fused(header, HOPPER) is None
