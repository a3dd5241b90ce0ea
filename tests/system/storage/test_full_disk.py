"""A file system without room: a clear error, earlier data intact, and on it goes once there is room."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from stores import make_game, serving

from rlscout.storage import StoreError, open_store


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Two megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if done.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    with serving(small_disk / "data") as server, open_store(server.address, "othello6") as store:
        store.add_games([make_game(0)])
        room = 2_000_000 - sum(path.stat().st_size for path in (small_disk / "data").iterdir())
        ballast.write_bytes(bytes(room - 200_000))
        added = 1
        with pytest.raises(StoreError, match=r"rlscout\.db: .*intact"):
            while True:
                added += store.add_games([make_game(number, length=50) for number in range(added, added + 5)])
        with pytest.raises(StoreError, match=r"rlscout\.db: .*intact"):
            store.add_model("a", bytes(1_000_000), 0, 1, {})
        assert store.sample_counts().games == added
        ballast.unlink()
        assert store.add_games([make_game(number, length=50) for number in range(added, added + 5)]) == 5
    with open_store(small_disk / "data", "othello6") as store:
        assert store.sample_counts().games == added + 5


def test_no_room_for_a_new_database(small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(bytes(2 * 1024 * 1024 - 20_000))
    with pytest.raises(StoreError, match="full"):
        open_store(small_disk / "data", "othello6")
    assert not (small_disk / "data" / "rlscout.db").exists()
    (small_disk / "ballast").unlink()
    with open_store(small_disk / "data", "othello6") as store:
        assert store.add_games([make_game(0)]) == 1
