"""Endgames on 8x8 beside another program: nodes, CPU seconds and nodes a second of each, one thread, on the same positions.

    python benchmarks/endgames.py FILE --edax lEdax-native --egaroucid Egaroucid_for_Console.out [--repeats 7]

FILE: positions as `rlscout solve --file` takes them. Every program solves each position in a process of its own, in turn, so that
a machine that is busy slows all alike; seconds are those of the process in user mode, without its start, as a file without
positions takes it just before: what the system takes to give a table its pages, and to clear them, is in none of them. Printed are medians,
and of each position, and of all of them together, the rate of the others over ours: median, lowest and highest of the pairs.

A node is what a program counts as one (endgames.md). Score for score the programs must agree, or this ends with an error."""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, fields
from pathlib import Path

from rlscout.games import game
from rlscout.solving import read_problems


@dataclass(frozen=True)
class Program:
    """How to have the positions of a file solved, and where the answer says the score and the nodes."""

    name: str
    command: list[str]  # the file is its last argument
    folder: Path  # where it is started
    answer: re.Pattern[str]


@dataclass(frozen=True)
class Run:
    score: int
    nodes: int
    evaluations: int  # counted apart from nodes; of other programs: not known, 0
    seconds: float


def ours(ordering: str, table_mb: int) -> Program:
    command = [sys.executable, "-m", "rlscout", "solve", "othello8", "--json", "--ordering", ordering]
    return Program(ordering, [*command, "--table-mb", str(table_mb), "--file"], Path.cwd(), re.compile(r"^{.*$", re.M))


def edax(binary: Path, log2_entries: int) -> Program:
    command = [str(binary), "-l", "60", "-n", "1", "-h", str(log2_entries), "-solve"]
    answer = re.compile(r"^ *\d+\| +\d+ +(?P<score>[-+]\d+) +[\d:.]+ +(?P<nodes>\d+)", re.M)
    return Program("edax", command, binary.parent, answer)


def egaroucid(binary: Path, log2_entries: int) -> Program:
    command = [str(binary), "-l", "60", "-t", "1", "-hash", str(log2_entries), "-nobook", "-solve"]
    answer = re.compile(r"100%\| +\w\d\| +(?P<score>[-+]?\d+)\| +[\d:.]+\| +(?P<nodes>\d+)\|")
    return Program("egaroucid", command, binary.parent, answer)


def cpu_seconds(program: Program, file: Path) -> tuple[float, str]:
    """Of a process in user mode, and what it printed."""
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            [*program.command, str(file)], cwd=program.folder, stdout=output, stderr=subprocess.DEVNULL
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(program.command)} {file}: exit status {process.returncode}\n{text}")
    return used.ru_utime, text


def solve(program: Program, file: Path, nothing: Path) -> Run:
    """What a file takes beyond one without positions. The first start is for the caches: after another program it takes longer."""
    cpu_seconds(program, nothing)
    start, _ = cpu_seconds(program, nothing)
    seconds, text = cpu_seconds(program, file)
    found = program.answer.search(text)
    if found is None:
        raise RuntimeError(f"{' '.join(program.command)} {file}: no answer in\n{text}")
    if "nodes" not in found.groupdict():
        said = json.loads(found[0])
        return Run(said["score"], said["nodes"], said["evaluations"], seconds - start)
    return Run(int(found["score"]), int(found["nodes"]), 0, seconds - start)


def together(runs: list[Run]) -> Run:
    """One run over several positions; its score is the sum of theirs."""
    return Run(*(sum(getattr(run, field.name) for run in runs) for field in fields(Run)))


def rows(where: str, found: dict[str, list[Run]]) -> None:
    """Prints a row for each program; the first is ours, which the others are paired with, run by run."""
    ours = next(iter(found.values()))
    for name, runs in found.items():
        paired = [
            their.nodes / their.seconds / (own.nodes / own.seconds) for their, own in zip(runs, ours, strict=True)
        ]
        print(row(where, name, runs, paired), flush=True)


def row(where: str, name: str, runs: list[Run], paired: list[float]) -> str:
    nodes, evaluations = runs[0].nodes, runs[0].evaluations
    seconds = statistics.median(run.seconds for run in runs)
    spread = f"{statistics.median(paired):.2f} ({min(paired):.2f} to {max(paired):.2f})"
    million = f"{nodes / 1e6:>9.2f} {evaluations / 1e6:>13.2f} {seconds:>8.2f} {nodes / 1e6 / seconds:>10.1f}"
    return f"{where:<9} {runs[0].score:>+5} {name:<10} {million}  {spread}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--edax", type=Path, help="its binary; data/eval.dat lies beside it")
    parser.add_argument("--egaroucid", type=Path, help="its console's binary; resources/ lies beside it")
    parser.add_argument("--orderings", default="static,patterns")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--table-mb", type=int, default=256)
    parser.add_argument("--log2-entries", type=int, default=22, help="of the others' tables")
    options = parser.parse_args()
    programs = [ours(ordering, options.table_mb) for ordering in options.orderings.split(",")]
    if options.edax:
        programs.append(edax(options.edax.resolve(), options.log2_entries))
    if options.egaroucid:
        programs.append(egaroucid(options.egaroucid.resolve(), options.log2_entries))
    print(
        f"{'position':<9} {'score':>5} {'program':<10} {'M nodes':>9} {'M evaluations':>13} {'CPU s':>8} {'M nodes/s':>10}  over ours"
    )
    with tempfile.TemporaryDirectory() as folder:
        nothing, one = Path(folder) / "nothing", Path(folder) / "one"
        nothing.touch()
        solved: list[dict[str, list[Run]]] = []
        for problem in read_problems(game("othello8"), options.file):
            one.write_text(problem.position.text + "\n")
            runs: dict[str, list[Run]] = {program.name: [] for program in programs}
            for _ in range(options.repeats):
                for program in programs:
                    runs[program.name].append(solve(program, one, nothing))
            scores = {name: found[0].score for name, found in runs.items()}
            if len(set(scores.values())) != 1:
                raise RuntimeError(f"{problem.position.text}: the programs disagree: {scores}")
            rows(f"line {problem.line}", runs)
            solved.append(runs)
    if len(solved) > 1:
        rows(
            "together",
            {
                name: [together([runs[name][i] for runs in solved]) for i in range(options.repeats)]
                for name in solved[0]
            },
        )


if __name__ == "__main__":
    main()
