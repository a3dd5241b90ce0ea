"""The games that conformance tests run on: every family, every number of words, and odd shapes."""

from __future__ import annotations

from rlscout import native

OTHELLO = ["othello4", "othello6", "othello8", "othello4:parallel", "othello6:parallel", "othello8:parallel"]
MNK = [
    *["mnk:3,3,3", "mnk:4,4,4", "mnk:5,5,5", "mnk:6,6,5", "mnk:7,7,5", "mnk:8,8,5", "mnk:9,9,5", "mnk:15,15,5"],
    *["mnk:7,8,5", "mnk:8,7,5", "mnk:15,1,3", "mnk:1,9,2", "mnk:2,2,2", "mnk:13,5,4", "mnk:11,12,5", "mnk:15,13,6"],
    *["mnk:4,4,3", "mnk:5,4,4"],
]
DISCS = ["othello4", "othello6"]
ENGINES = [native.engine(name) for name in OTHELLO + MNK] + [native.engine(name, "discs") for name in DISCS]
IDS = [f"{engine.name}-{engine.scoring}".removesuffix("-empties").removesuffix("-line") for engine in ENGINES]
