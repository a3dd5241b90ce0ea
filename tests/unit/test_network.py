"""The weights file: what is written is read back, and what does not fit is refused by name."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
import pytest

from rlscout.config import NetworkConfig
from rlscout.network import Header, Network, bits, folded, planes, read_network, shapes

SMALL = NetworkConfig(blocks=2, channels=8, policy_channels=3, value_channels=2, value_hidden=16)
HEADER = Header("othello6", 6, 6, SMALL, step=70, parent=3, version="1.0+abc")


def network(header: Header = HEADER, seed: int = 1) -> Network:
    generator = np.random.default_rng(seed)
    weights = {name: generator.normal(0.0, 0.3, shape).astype(np.float32) for name, shape in shapes(header).items()}
    return Network(header, {n: np.abs(w) + 0.5 if n.endswith("running_var") else w for n, w in weights.items()})


@pytest.mark.parametrize("batch_norm", [False, True])
def test_a_file_reads_back(batch_norm: bool, tmp_path) -> None:
    header = replace(HEADER, architecture=replace(SMALL, batch_norm=batch_norm))
    written = network(header)
    (tmp_path / "a.safetensors").write_bytes(written.to_bytes())
    for read in (read_network(written.to_bytes(), "othello6"), read_network(tmp_path / "a.safetensors")):
        assert read.header == header
        assert {n: w.tolist() for n, w in read.weights.items()} == {n: w.tolist() for n, w in written.weights.items()}


def test_a_network_for_another_game_is_refused() -> None:
    with pytest.raises(ValueError, match="this network plays othello6, not mnk:3,3,3"):
        read_network(network().to_bytes(), "mnk:3,3,3")


@pytest.mark.parametrize("written", ["tictactoe", "mnk:3,3,3"])
@pytest.mark.parametrize("asked", ["tictactoe", "mnk:3,3,3", " mnk:3,3,3", None])
def test_a_game_is_known_by_all_its_names(written: str, asked: str | None) -> None:
    made = network(Header(written, 3, 3, SMALL))
    read = read_network(made.to_bytes(), asked)
    assert read.header.game == "mnk:3,3,3", "as searches and stores call it"


def test_a_network_is_equal_to_itself_and_told_in_a_line() -> None:
    one = network()
    assert one == one and one != network()
    assert len({one, one, network()}) == 2
    assert repr(one) == "<network of othello6: 2 blocks of 8 channels, step 70>"


def test_what_is_no_network_is_refused(tmp_path) -> None:
    whole = network().to_bytes()
    for bad in (b"", b"PK\x03\x04 a pickle", whole[:-4], whole[:100], struct.pack("<Q", 2**62) + whole[8:], bytes(200)):
        with pytest.raises(ValueError, match="not a network file"):
            read_network(bad)
    odd = whole.replace(b"rlscout network 1", b"rlscout network 9")
    with pytest.raises(ValueError, match="reads format 'rlscout network 1'"):
        read_network(odd)
    (tmp_path / "text").write_text("hello")
    with pytest.raises(ValueError, match="text: not a network file"):
        read_network(tmp_path / "text")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'\\"blocks\\": 2', b'\\"blocks\\": 1', "missing or unknown are blocks.1.first"),
        (b'\\"channels\\": 8', b'\\"channels\\": 9', "stem.convolution.weight is float32.*asks for float32"),
        (b'\\"rows\\": 6', b'\\"rows\\": 5', "not a network file .*6x5 squares, but othello6 has 6x6"),
        (b"othello6", b"othello7", "not a network file .*unknown game 'othello7'"),
        (
            b'\\"blocks\\": 2',
            b'\\"blocks\\": 99999999999',
            "not a network file .*architecture.blocks = 9.*: allowed is 0 to 64",
        ),
        (b'\\"step\\": 70', b'\\"stop\\": 70', "not a network file"),
        (b'\\"step\\": 70', b'\\"step\\": []', "not a network file .*step is not int"),
        (b'\\"blocks\\": 2', b'\\"blocks\\": {', "not a network file"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(old: bytes, new: bytes, message: str) -> None:
    content = network().to_bytes()
    assert content.count(old) == 1
    changed = content.replace(old, new)
    length = struct.unpack("<Q", content[:8])[0] + len(new) - len(old)
    with pytest.raises(ValueError, match=message):
        read_network(struct.pack("<Q", length) + changed[8:])


def test_numbers_that_are_not_finite_are_refused() -> None:
    bad = network()
    bad.weights["value.bias"][0] = np.nan
    with pytest.raises(ValueError, match=r"tensor value\.bias holds numbers that are not finite"):
        read_network(bad.to_bytes())


def test_folding_removes_batch_norm() -> None:
    header = replace(HEADER, architecture=replace(SMALL, batch_norm=True))
    plain = folded(network(header))
    assert not plain.header.architecture.batch_norm
    assert replace(plain.header, architecture=SMALL) == HEADER
    assert {name: weight.shape for name, weight in plain.weights.items()} == shapes(plain.header)


def test_planes_are_the_bits_of_the_boards() -> None:
    positions = np.array([[0b101, 0b010], [1 << 35, 1 << 63]], np.uint64)
    legal = np.array([[1 << 3], [0]], np.uint64)
    made = planes(positions, legal, 6, 6)
    assert made.shape == (2, 3, 6, 6)
    assert made.dtype == np.float32
    assert np.argwhere(made).tolist() == [[0, 0, 0, 0], [0, 0, 0, 2], [0, 1, 0, 1], [0, 2, 0, 3], [1, 0, 5, 5]]
    assert np.flatnonzero(bits(positions[:, :1], 36)[0]).tolist() == [0, 2], "a view with gaps"
    several = np.array([[1, 0, 0, 1 << 32]], np.uint64)
    assert np.flatnonzero(bits(several, 225)).tolist() == [0, 224]
