"""The wire form: what goes in comes out, and nothing else comes in."""

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stores import make_game

from rlscout.storage import SampleBatch
from rlscout.storage.messages import (
    REQUESTS,
    BadMessage,
    Failure,
    Result,
    answer_decoder,
    encode,
    request_decoder,
)

VALID = encode(REQUESTS["add_games"]([make_game(1), make_game(2, length=0)]))


def test_every_method_of_a_store_has_a_request() -> None:
    assert {"ping", "add_games", "read_samples", "finish_duel", "add_claim", "clean_up"} <= REQUESTS.keys()
    assert not {"close", "__enter__", "call"} & REQUESTS.keys()


def test_arrays_come_back_aligned_and_writable() -> None:
    request = request_decoder()(*VALID)
    for given_game, found in zip([make_game(1), make_game(2, length=0)], request.games, strict=True):
        assert found.game == given_game.game
        for name in ("positions", "visits", "outcome", "value", "ply", "move"):
            np.testing.assert_array_equal(getattr(found, name), getattr(given_game, name))
            assert getattr(found, name).flags.aligned
            assert getattr(found, name).flags.writeable


def test_views_are_sent_as_what_they_show() -> None:
    game = make_game(1, length=8)
    view = msgspec.structs.replace(game, positions=game.positions[::2], visits=game.visits[::-2])
    found = request_decoder()(*encode(REQUESTS["add_games"]([view]))).games[0]
    np.testing.assert_array_equal(found.positions, game.positions[::2])
    np.testing.assert_array_equal(found.visits, game.visits[::-2])


def test_an_answer_is_a_result_or_a_failure() -> None:
    decode = answer_decoder("sample_counts")
    assert decode(*encode(Failure("store", "no room"))) == Failure("store", "no room")
    with pytest.raises(BadMessage):
        decode(*encode(Result("text")))
    batch = SampleBatch(3, *(np.zeros(0, "<i8") for _ in range(9)))
    assert answer_decoder("read_samples")(*encode(Result(batch))).value.last_id == 3


@pytest.mark.parametrize("value", [np.array([object()]), np.zeros(3, "<f8"), np.array(["text"]), object(), np.int64(3)])
def test_other_things_are_not_sent(value: Any) -> None:
    with pytest.raises(ValueError, match="a store takes"):
        encode(Result(value))


@pytest.mark.parametrize(
    "reference",
    [
        ["|O8", [1], 0],
        ["<f8", [1], 0],
        ["<u8; import os", [1], 0],
        ["<u8", [-1], 0],
        ["<u8", [], 0],
        ["<u8", [1, 1, 1], 0],
        ["<u8", [3], 0],
        ["<u8", [1], 16],
        ["<u8", [1], -8],
        ["<u8", [2**62, 2**62], 0],
        ["<u8", [2**62, 0], 2**63],
        "text",
        None,
    ],
)
def test_a_reference_outside_the_body_or_the_allowed_types_is_refused(reference: Any) -> None:
    def header(positions: Any) -> bytes:
        fields = ("visits", "outcome", "value", "ply", "move")
        game = {"game": "g", "produced_by_model": 0, "positions": positions} | {
            name: ["<u8", [1], 8] for name in fields
        }
        return msgspec.msgpack.encode({"type": "add_games", "games": [game]})

    assert request_decoder()(header(["<u8", [2], 0]), bytes(16))
    with pytest.raises(BadMessage):
        request_decoder()(header(reference), bytes(16))


@given(header=st.binary(max_size=200), body=st.binary(max_size=50))
def test_random_bytes_are_refused(header: bytes, body: bytes) -> None:
    with pytest.raises(BadMessage):
        request_decoder()(header, body)


@given(place=st.integers(0, len(VALID[0]) - 1), byte=st.integers(0, 255), cut=st.integers(0, len(VALID[1])))
def test_damaged_requests_are_refused_or_are_other_requests(place: int, byte: int, cut: int) -> None:
    header = VALID[0][:place] + bytes([byte]) + VALID[0][place + 1 :]
    try:
        request = request_decoder()(header, VALID[1][:cut])
    except BadMessage:
        return
    assert type(request) in REQUESTS.values()


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(BadMessage):
        request_decoder()(b"\x91" * 100_000, b"")
