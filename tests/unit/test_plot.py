"""Curves: axes that hold the data, marks for every curve."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ElementTree

import pytest

from rlscout.plot import Line, plot, ticks


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-3.2, 1234.5), (0.001, 0.0011), (5.0, 5.0), (-1e6, -1e5)])
def test_ticks_enclose_the_data_with_round_steps(low: float, high: float) -> None:
    made = ticks(low, high)
    assert made[0] <= low <= high <= made[-1]
    assert 2 <= len(made) <= 12
    steps = {round(b - a, 12) for a, b in itertools.pairwise(made)}
    assert len({f"{step:.6g}" for step in steps}) == 1


def test_a_plot_draws_each_curve_and_its_bars() -> None:
    lines = [
        Line("one & only", [(0.0, 1.0), (1.0, 2.0)]),
        Line("two", [(0.0, 0.0), (2.0, 9.0)], [(-1, 1), (8, 10)], True),
    ]
    svg = ElementTree.fromstring(plot("title <x>", "minutes", lines))
    text = " ".join(element.text or "" for element in svg.iter())
    assert "title <x>" in text
    assert "one & only" in text
    curves = [element for element in svg.iter() if element.get("fill") == "none"]
    assert len(curves) == 2
    assert "nothing yet" in plot("empty", "x", [Line("none", [])])
