"""Pictures of boards: as text for a terminal, as SVG for a notebook or a report. Knows squares, not rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

STONES = {"X": "#1b1b1b", "O": "#f7f7f2"}


def square_name(square: int, columns: int) -> str:
    """0 -> a1; -1 (a pass) -> --"""
    return "--" if square < 0 else f"{chr(ord('a') + square % columns)}{square // columns + 1}"


def board_text(cells: str, columns: int, marks: Sequence[int] = ()) -> str:
    """The board with its coordinates; empty squares are `.`, those in `marks` `*`.

    `cells`: X, O and - row by row."""
    marked = set(marks)
    letters = "  ".join([""] + [chr(ord("a") + c) for c in range(columns)])
    lines = ["  " + letters.strip().replace("  ", " ")]
    for row in range(len(cells) // columns):
        squares = range(row * columns, (row + 1) * columns)
        lines.append(f"{row + 1:<2}" + " ".join("*" if s in marked else cells[s].replace("-", ".") for s in squares))
    return "\n".join(lines)


def grid_text(numbers: Sequence[str], columns: int, width: int = 3) -> str:
    """A board of short texts (a policy in percent, say), with its coordinates."""
    lines = ["  " + " ".join(f"{chr(ord('a') + c):>{width}}" for c in range(columns))]
    for row in range(len(numbers) // columns):
        part = numbers[row * columns : (row + 1) * columns]
        lines.append(f"{row + 1:<2}" + " ".join(f"{text:>{width}}" for text in part))
    return "\n".join(lines)


def beside(*blocks: str, gap: int = 4) -> str:
    """Blocks of text side by side."""
    split = [block.splitlines() for block in blocks]
    widths = [max((len(line) for line in lines), default=0) for lines in split]
    height = max(len(lines) for lines in split)
    rows = []
    for i in range(height):
        parts = [(lines[i] if i < len(lines) else "").ljust(width) for lines, width in zip(split, widths, strict=True)]
        rows.append((" " * gap).join(parts).rstrip())
    return "\n".join(rows)


def board_svg(
    cells: str,
    columns: int,
    last: int = -1,
    heat: Mapping[int, float] | None = None,
    labels: Mapping[int, str] | None = None,
    cell: int = 26,
    title: str = "",
) -> str:
    """One `<svg>` element. `last`: this square gets a dot; `heat`: 0..1 tints a square; `labels`: text on a square."""
    rows = len(cells) // columns
    margin, top = 16, 18 if title else 0
    width, height = margin + columns * cell + 6, top + margin + rows * cell + 6
    out = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
            f'font-family="sans-serif" font-size="10" text-anchor="middle" role="img">'
        )
    ]
    if title:
        out.append(f'<text x="{width / 2:g}" y="12" font-size="12" fill="currentColor">{escape(title)}</text>')
    out.append(
        f'<rect x="{margin}" y="{top + margin}" width="{columns * cell}" height="{rows * cell}" '
        f'fill="#3f8f5f" stroke="#1d4d31"/>'
    )
    for column in range(columns):
        x = margin + column * cell
        out.append(
            f'<text x="{x + cell / 2:g}" y="{top + margin - 5}" fill="currentColor">{chr(ord("a") + column)}</text>'
        )
        if column:
            out.append(f'<path d="M{x} {top + margin}v{rows * cell}" stroke="#1d4d31"/>')
    for row in range(rows):
        y = top + margin + row * cell
        out.append(f'<text x="{margin / 2 - 1:g}" y="{y + cell / 2 + 3.5:g}" fill="currentColor">{row + 1}</text>')
        if row:
            out.append(f'<path d="M{margin} {y}h{columns * cell}" stroke="#1d4d31"/>')
    for square, stone in enumerate(cells):
        x, y = margin + square % columns * cell, top + margin + square // columns * cell
        warmth = (heat or {}).get(square, 0.0)
        if warmth > 0:
            out.append(
                f'<rect x="{x + 1}" y="{y + 1}" width="{cell - 2}" height="{cell - 2}" fill="#ffd34d" '
                f'fill-opacity="{min(1.0, warmth):.3f}"/>'
            )
        if stone in STONES:
            out.append(
                f'<circle cx="{x + cell / 2:g}" cy="{y + cell / 2:g}" r="{cell * 0.42:g}" '
                f'fill="{STONES[stone]}" stroke="#1b1b1b"/>'
            )
        if square == last:
            out.append(f'<circle cx="{x + cell / 2:g}" cy="{y + cell / 2:g}" r="{cell * 0.12:g}" fill="#d8452e"/>')
        label = (labels or {}).get(square, "")
        if label:
            out.append(f'<text x="{x + cell / 2:g}" y="{y + cell / 2 + 3.5:g}" fill="#101010">{escape(label)}</text>')
    out.append("</svg>")
    return "".join(out)


def escape(text: str) -> str:
    """For HTML and XML text."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
