"""The command `rlscout-verify-reference FILE`; exit status 0 valid, 1 refused, 2 bad input, 3 beyond a limit."""

import argparse
import json
import sys
import time
from typing import Any

from rlscout_verify import games
from rlscout_verify.certificate import Certificate, FormatError, LimitError, Limits, read
from rlscout_verify.check import Checker, Progress, ProofError

STATUS = {"valid": 0, "refused": 1, "bad input": 2, "over limit": 3}


def main(arguments: list[str] | None = None) -> int:
    """Checks one file, prints the verdict and returns the exit status."""
    options = _parser().parse_args(arguments)
    limits = Limits(options.max_positions, options.max_leaf_empties)
    result, drawing = verify(options.file, limits, _silent if options.quiet else _say)
    print(json.dumps(result) if options.json else _in_words(result, drawing))
    return STATUS[result["verdict"]]


def verify(path: str, limits: Limits, progress: Progress) -> tuple[dict[str, Any], str | None]:
    """Checks one file: the fields of the JSON verdict, and a drawing of the position at fault."""
    started = time.monotonic()
    result: dict[str, Any] = {"verdict": "valid", "file": path, "checker": "reference"}
    drawing = None
    try:
        certificate = read(path, limits)
        result |= _about(certificate)
        checker = Checker(certificate, progress)
        try:
            checker.check()
        finally:
            result |= vars(checker.counts)
        result["statement"] = statement(certificate)
    except ProofError as refusal:
        result |= {"verdict": "refused", "reason": str(refusal), "position_at_fault": refusal.position}
        result["claim_at_fault"], drawing = refusal.statement, refusal.drawing
    except LimitError as error:
        result |= {"verdict": "over limit", "reason": str(error)}
    except (FormatError, OSError) as error:
        result |= {"verdict": "bad input", "reason": str(error)}
    except (MemoryError, RecursionError) as error:
        result |= {"verdict": "over limit", "reason": f"{type(error).__name__}: too large for this machine"}
    result["seconds"] = round(time.monotonic() - started, 3)
    return result, drawing


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rlscout-verify-reference",
        description="Checks an rlscout certificate in plain Python. The format: docs/certificate.md.",
        epilog="Exit status: 0 valid, 1 refused, 2 not a certificate, 3 beyond a limit of this checker.",
    )
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--json", action="store_true", help="print the verdict as one JSON object")
    parser.add_argument("--quiet", action="store_true", help="no progress on standard error")
    parser.add_argument(
        "--max-positions", type=int, default=Limits.max_positions, metavar="N", help="take larger proofs"
    )
    parser.add_argument(
        "--max-leaf-empties", type=int, default=Limits.max_leaf_empties, metavar="N", help="search larger leaves"
    )
    return parser


def _about(certificate: Certificate) -> dict[str, Any]:
    return {
        "game": certificate.game_name,
        "scoring": certificate.scoring,
        "position": games.position_to_text(certificate.game, certificate.root, certificate.x_to_move),
        "lower": certificate.lower,
        "upper": certificate.upper,
        "leaf_empties": certificate.leaf_empties,
        "grade": "checked",
    }


def statement(certificate: Certificate) -> str:
    """What a valid file proves, in words."""
    if certificate.lower == certificate.upper:
        claim = f"score = {certificate.lower}"
    elif certificate.upper >= certificate.game.max_score:
        claim = f"score >= {certificate.lower}"
    elif certificate.lower <= certificate.game.min_score:
        claim = f"score <= {certificate.upper}"
    else:
        claim = f"{certificate.lower} <= score <= {certificate.upper}"
    position = games.position_to_text(certificate.game, certificate.root, certificate.x_to_move)
    side = "X" if certificate.x_to_move else "O"
    return f"{certificate.game_name}, {position}: {claim} for {side} to move ({certificate.game.rule})"


def _in_words(result: dict[str, Any], drawing: str | None) -> str:
    lines = []
    if result["verdict"] == "valid":
        lines += ["VALID", f"proven: {result['statement']}"]
    else:
        lines += [f"{result['verdict'].upper()}: {result['reason']}"]
    if result.get("position_at_fault"):
        lines += [f"at fault: {result['position_at_fault']}, claimed {result['claim_at_fault']}", str(drawing)]
    if "positions" in result:
        counts = "{positions} positions, {witnesses} witness moves, {leaves} leaves, {nodes} nodes"
        lines += [f"checked: {counts.format(**result)}"]
    return "\n".join([*lines, f"{result['seconds']} s"])


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _silent(text: str) -> None:
    pass
