"""What tests have several processes do: functions of a module, so that a new process finds them. Run as a program, it starts two
that wait for ever."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

from rlscout.ranks import Place, together


def end(place: Place, how: dict[int, int], out: Path) -> int:
    """Ends with the status of its rank (below 0: by that signal); those that have none wait for ever."""
    (out / f"{place.rank}.pid").write_text(f"{os.getpid()} {place.port} {place.door is not None}")
    while len(list(out.glob("*.pid"))) < place.size:
        time.sleep(0.01)
    if place.rank in how:
        if how[place.rank] < 0:
            os.kill(os.getpid(), -how[place.rank])
        return how[place.rank]
    signal.pause()
    return 0


def fall(place: Place, lives: int, out: Path) -> int:
    """Rank 1 is killed so many times; the other ends once that has gone by, however long it takes."""
    with (out / f"{place.rank}.lives").open("a") as file:
        file.write("x")
    if place.rank == 1 and (out / "1.lives").stat().st_size <= lives:
        os.kill(os.getpid(), signal.SIGKILL)
    while not (out / "1.lives").exists() or (out / "1.lives").stat().st_size <= lives:
        time.sleep(0.01)
    return 0


if __name__ == "__main__":
    together(end, 2, threading.Event(), {}, Path(sys.argv[1]))
