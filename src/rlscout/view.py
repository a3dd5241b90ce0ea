"""The live view of a run: a table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from rlscout.process import Every


@dataclass
class Status:
    """What the view shows. `facts`: (name, text) in order."""

    title: str
    phase: str = "starting"
    done: float = 0.0  # share of the phase, 0..1
    eta: str = ""
    facts: list[tuple[str, str]] = field(default_factory=list)

    def line(self) -> str:
        parts = (
            [self.phase] + ([self.eta] if self.eta else []) + [f"{name} {text}" for name, text in self.facts if text]
        )
        return " | ".join(parts)


class View:
    """Shows a status as often as it makes sense to. A context manager: the terminal is given back at the end."""

    def __init__(self, seconds: float, line_seconds: float) -> None:
        self.console = Console()
        self.lively = self.console.is_terminal
        self.due = Every(seconds if self.lively else line_seconds)
        self.live = Live(console=self.console, auto_refresh=False, transient=True) if self.lively else None
        self.phase = ""

    def __enter__(self) -> View:
        if self.live:
            self.live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self.live:
            self.live.stop()

    def say(self, text: str) -> None:
        """A line that stays."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def show(self, status: Status) -> None:
        """Shows the status where it is time to, or where the phase is new."""
        if not self.due() and status.phase.split(":")[0] == self.phase:
            return
        self.phase = status.phase.split(":")[0]
        if self.live:
            self.live.update(_panel(status), refresh=True)
        else:
            print(f"{time.strftime('%H:%M:%S')} {status.line()}", flush=True)


def _panel(status: Status) -> Panel:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, text in status.facts:
        if text:
            table.add_row(name, Text(text))
    bar = ProgressBar(total=1.0, completed=min(1.0, status.done), width=48)
    head = Table.grid(padding=(0, 2))
    head.add_row(Text(status.phase, style="bold green"), bar, Text(status.eta))
    return Panel(Group(head, table), title=status.title, title_align="left", border_style="blue")


class Usage:
    """Share of processors, memory and GPU that the run's processes take: this one and all that came of it."""

    def __init__(self) -> None:
        self.known: dict[int, psutil.Process] = {}
        self.gpu_due = Every(2.0)
        self.has_gpu = Path("/proc/driver/nvidia/version").exists()
        self.gpu = ""

    def text(self) -> str:
        cpu = memory = 0.0
        here = psutil.Process()
        for found in [here, *here.children(recursive=True)]:
            with suppress(psutil.Error):
                process = self.known.setdefault(found.pid, found)
                cpu += process.cpu_percent()
                memory += process.memory_info().rss
        cores = psutil.cpu_count() or 1
        text = f"CPU {cpu / cores:.0f} % of {cores} cores, memory {memory / 2**30:.1f} GiB"
        if self.has_gpu and self.gpu_due():
            self.gpu = _gpu()
        return text + (f", {self.gpu}" if self.gpu else "")


def _gpu() -> str:
    query = ["nvidia-smi", "--query-gpu=utilization.gpu,memory.used", "--format=csv,noheader,nounits"]
    with suppress(OSError, subprocess.SubprocessError, ValueError):
        output = subprocess.run(query, capture_output=True, text=True, check=True, timeout=2.0).stdout
        pairs = [tuple(float(part) for part in line.split(",")) for line in output.splitlines()]
        return "; ".join(f"GPU {use:.0f} %, {memory / 1024:.1f} GiB" for use, memory in pairs)
    return ""


def clock(seconds: float) -> str:
    """75 -> 1:15"""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"
