"""Curves as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rlscout import draw

WIDTH, HEIGHT = 580, 230
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 26, 30
MANY, NAMES = 6, 190
"""The names of more curves than that stand beside the drawing, in so much room."""
COLOURS = ("#2a6fb0", "#c4572b", "#3f8f5f", "#7d4fa0", "#b08a1e", "#2a9aa0", "#8a8a8a", "#d06fa8", "#5f7f1e", "#1e4f8a")


@dataclass(frozen=True)
class Line:
    """A curve: points (x, y), with error bars (low, high) where given."""

    name: str
    points: Sequence[tuple[float, float]]
    bars: Sequence[tuple[float, float]] = ()
    steps: bool = False


def plot(title: str, axis: str, lines: Sequence[Line], doublings: bool = False, powers: bool = False) -> str:
    """An SVG element with the curves that have points; the y axis holds all of them and their bars. With `doublings`, equal
    steps of the x axis are equal factors, and it is marked where there are points; with `powers`, those of the y axis are (y > 0)."""
    drawn = [line for line in lines if line.points]
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" font-size="11" fill="currentColor" role="img">'
        f'<text x="{LEFT}" y="15" font-size="13" font-weight="600">{draw.escape(title)}</text>'
    ]
    if not drawn:
        return out[0] + f'<text x="{WIDTH / 2:g}" y="{HEIGHT / 2:g}" text-anchor="middle">nothing yet</text></svg>'
    xs = [x for line in drawn for x, _ in line.points]
    ys = [y for line in drawn for _, y in line.points] + [y for line in drawn for bar in line.bars for y in bar]
    x_ticks = sorted(set(xs)) if doublings else ticks(min(xs), max(xs))
    if powers:
        exponents = range(math.floor(math.log10(min(ys))), max(1, math.ceil(math.log10(max(ys)))) + 1)
        y_ticks = [10.0**exponent for exponent in exponents]
    else:
        y_ticks = ticks(min(*ys, 0.0) if min(ys) < 0.3 * max(ys) else min(ys), max(ys))
    x0, x1, y0, y1 = min(xs), max(max(xs), min(xs) + 1e-9), y_ticks[0], y_ticks[-1]

    right = NAMES if len(drawn) > MANY else RIGHT

    def px(x: float) -> float:
        share = math.log(x / x0) / math.log(x1 / x0) if doublings else (x - x0) / (x1 - x0)
        return LEFT + share * (WIDTH - LEFT - right)

    def py(y: float) -> float:
        share = math.log(y / y0) / math.log(y1 / y0) if powers else (y - y0) / (y1 - y0)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    for y in y_ticks:
        out.append(f'<path d="M{LEFT} {py(y):.1f}H{WIDTH - right}" stroke="currentColor" stroke-opacity=".15"/>')
        out.append(f'<text x="{LEFT - 6}" y="{py(y) + 4:.1f}" text-anchor="end">{_number(y)}</text>')
    for x in x_ticks:
        if x0 <= x <= x1:
            out.append(f'<text x="{px(x):.1f}" y="{HEIGHT - 14}" text-anchor="middle">{_number(x)}</text>')
    out.append(f'<text x="{WIDTH - right}" y="{HEIGHT - 2}" text-anchor="end">{draw.escape(axis)}</text>')
    for index, line in enumerate(drawn):
        out += _curve(line, COLOURS[index % len(COLOURS)], px, py)
        beside = len(drawn) <= 3
        x = (
            WIDTH - RIGHT - 150 * (len(drawn) - 1 - index)
            if beside
            else (LEFT if len(drawn) <= MANY else WIDTH - right) + 10
        )
        y = 15 if beside else TOP + 14 * (index + 1)
        out.append(
            f'<text x="{x}" y="{y}" text-anchor="{"end" if beside else "start"}" '
            f'fill="{COLOURS[index % len(COLOURS)]}">{draw.escape(line.name)}</text>'
        )
    return "".join(out) + "</svg>"


def stacked(plots: Sequence[str]) -> str:
    """One SVG element, or file, of several from `plot`, one below the other."""
    placed = [svg.replace("<svg ", f'<svg y="{HEIGHT * index}" ', 1) for index, svg in enumerate(plots)]
    height = HEIGHT * len(plots)
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(placed)}</svg>\n'


def _curve(line: Line, colour: str, px: Any, py: Any) -> list[str]:
    path = ""
    for index, (x, y) in enumerate(line.points):
        if index and line.steps:
            path += f"H{px(x):.1f}V{py(y):.1f}"
        else:
            path += f"{'L' if index else 'M'}{px(x):.1f} {py(y):.1f}"
    out = [f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.6" stroke-linejoin="round"/>']
    if len(line.points) <= 60:
        out += [f'<circle cx="{px(x):.1f}" cy="{py(y):.1f}" r="2.4" fill="{colour}"/>' for x, y in line.points]
    for (x, _), (low, high) in zip(line.points, line.bars, strict=False):
        out.append(f'<path d="M{px(x):.1f} {py(low):.1f}V{py(high):.1f}" stroke="{colour}" stroke-opacity=".5"/>')
    return out


def ticks(low: float, high: float) -> list[float]:
    """About five round numbers whose first and last enclose low..high."""
    if not high > low:
        low, high = low - 0.5, high + 0.5
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1.0, 2.0, 2.5, 5.0, 10.0) if factor * power >= raw)
    first = math.floor(low / step)
    return [step * i for i in range(first, math.ceil(high / step) + 1)]


def _number(value: float) -> str:
    if abs(value) >= 1e6:
        return f"{value / 1e6:g} M"
    if abs(value) >= 1e4:
        return f"{value / 1e3:g} k"
    return f"{round(value, 6):g}"
