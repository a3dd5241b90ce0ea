"""Walks the proof in a certificate and refuses it at the first position that is not as claimed.

A *claim* says of a position in which a move is due that its score is at least (AT_LEAST) or at most (AT_MOST) a bound.
From parent to child the bound only changes sign, so within one *section* of the proof (one bound of the root) kind and
section give the bound. The walk goes level by level from the root downwards, a level for each number of empty squares:

* AT_LEAST b needs one move to a position with AT_MOST -b: the next witness move of the file.
* AT_MOST b needs every move to lead to a position with AT_LEAST -b.

Positions are folded by the symmetries of the board and no level lists a claim twice. What the rules settle at sight is
not listed at all, and the list at `leaf_empties` empty squares is settled by the plain search at the end of this file.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from rlscout_verify import games
from rlscout_verify.certificate import Certificate
from rlscout_verify.games import Game, Position

AT_LEAST, AT_MOST = True, False
Claim = tuple[Position, bool]
Progress = Callable[[str], None]


class ProofError(Exception):
    """The file is no proof. Where one position is at fault it is given, with what was claimed of it."""

    def __init__(self, reason: str, section: "Section | None" = None, claim: Claim | None = None) -> None:
        super().__init__(reason)
        self.position = self.statement = self.drawing = None
        if section and claim:
            position, kind = claim
            x_to_move = section.x_to_move(kind)
            self.position = games.position_to_text(section.game, position, x_to_move)
            self.statement = f"score {'>=' if kind == AT_LEAST else '<='} {section.bound_of(kind)}"
            self.drawing = games.draw(section.game, position, x_to_move)


@dataclass
class Counts:
    positions: int = 0
    witnesses: int = 0
    leaves: int = 0
    nodes: int = 0


@dataclass(frozen=True)
class Section:
    """The proof of one bound of the root: `kind` and `bound` are those of the root, `x_moves_root` its side to move."""

    name: str
    game: Game
    kind: bool
    bound: int
    x_moves_root: bool

    def bound_of(self, kind: bool) -> int:
        return self.bound if kind == self.kind else -self.bound

    def x_to_move(self, kind: bool) -> bool:
        """Kind and side to move alternate together, passes included."""
        return self.x_moves_root == (kind == self.kind)


class Witnesses:
    """The payload as a string of bits, the highest bit of a byte first."""

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        self.bits_read = 0

    def next(self, choices: int) -> int | None:
        """The next number below `choices`, in as many bits as the largest of them takes; None at the end."""
        number = 0
        for _ in range((choices - 1).bit_length()):
            if self.bits_read == 8 * len(self.payload):
                return None
            byte, bit = divmod(self.bits_read, 8)
            number = 2 * number + (self.payload[byte] >> (7 - bit) & 1)
            self.bits_read += 1
        return number


class Checker:
    """One check of one certificate; `progress` is told, at most every second or so, how far it is."""

    def __init__(self, certificate: Certificate, progress: Progress) -> None:
        self.certificate = certificate
        self.game = certificate.game
        self.witnesses = Witnesses(certificate.payload[: certificate.payload_bytes])
        self.counts = Counts()
        self.progress = progress
        self.next_progress = time.monotonic() + 1

    def check(self) -> Counts:
        """Returns what was checked, or raises ProofError. A fault of a position is found before a fault of the file."""
        certificate, game = self.certificate, self.game
        lower = Section("lower", game, AT_LEAST, certificate.lower, certificate.x_to_move)
        upper = Section("upper", game, AT_MOST, certificate.upper, certificate.x_to_move)
        if certificate.lower > certificate.upper:
            raise ProofError("the lower bound is above the upper bound", lower, (certificate.root, AT_LEAST))
        if certificate.lower > game.min_score:
            self._check_section(lower)
        if certificate.upper < game.max_score:
            self._check_section(upper)
        self._check_file()
        return self.counts

    def _check_section(self, section: Section) -> None:
        level: dict[Claim, None] = {}
        self._add(section, level, self.certificate.root, section.kind)
        empties = _empties(self.game, self.certificate.root)
        while level:
            if empties <= self.certificate.leaf_empties:
                self._search_leaves(section, level)
                return
            level = self._expand(section, level, empties)
            empties -= 1

    def _add(self, section: Section, level: dict[Claim, None], position: Position, kind: bool) -> None:
        """Settles a claim at sight or puts it on the list of its level, after a pass where one is due."""
        low, high = self.game.bounds_at_sight(position)
        bound = section.bound_of(kind)
        if (kind == AT_LEAST and low >= bound) or (kind == AT_MOST and high <= bound):
            return
        if (kind == AT_LEAST and high < bound) or (kind == AT_MOST and low > bound):
            raise ProofError("the rules show that the score is not as claimed", section, (position, kind))
        if not self.game.legal(position):
            self._add(section, level, position[::-1], not kind)
            return
        claim = (self._fold(position), kind)
        if claim not in level:
            if self.counts.positions == self.certificate.positions:
                raise ProofError("the proof needs more positions than the header states", section, claim)
            self.counts.positions += 1
            level[claim] = None

    def _expand(self, section: Section, level: dict[Claim, None], empties: int) -> dict[Claim, None]:
        """The list of the next level: the children of these claims, in order."""
        following: dict[Claim, None] = {}
        for number, (position, kind) in enumerate(level):
            self._report(section, f"{empties} empty squares", number, len(level))
            moves = self.game.legal(position)
            if kind == AT_LEAST:
                moves = [self._witness(section, position, moves)]
            for move in moves:
                self._add(section, following, self.game.play(position, move), not kind)
        return following

    def _witness(self, section: Section, position: Position, moves: list[int]) -> int:
        number = self.witnesses.next(len(moves))
        if number is None:
            raise ProofError("the witness move is missing: the payload ends", section, (position, AT_LEAST))
        if number >= len(moves):
            reason = f"witness number {number}, but there are {len(moves)} moves"
            raise ProofError(reason, section, (position, AT_LEAST))
        self.counts.witnesses += 1
        return moves[number]

    def _search_leaves(self, section: Section, level: dict[Claim, None]) -> None:
        bound = {kind: section.bound_of(kind) for kind in (AT_LEAST, AT_MOST)}
        for number, (position, kind) in enumerate(level):
            self._report(section, "leaves", number, len(level))
            self.counts.leaves += 1
            if kind == AT_LEAST:
                holds = self._reaches(position, bound[AT_LEAST])
            else:
                holds = not self._reaches(position, bound[AT_MOST] + 1)
            if not holds:
                raise ProofError("a search shows that the score is not as claimed", section, (position, kind))

    def _check_file(self) -> None:
        """The proof is sound; what the file says of itself must be true as well."""
        certificate, payload = self.certificate, self.certificate.payload
        bytes_read = (self.witnesses.bits_read + 7) // 8
        if not len(payload) == certificate.payload_bytes == bytes_read:
            raise ProofError("the length of the payload is not that of the proof and of the header")
        if payload and payload[-1] & ((1 << -self.witnesses.bits_read % 8) - 1):
            raise ProofError("the bits after the last witness move are not zero")
        for name in ("positions", "witnesses", "leaves"):
            stated, counted = getattr(certificate, name), getattr(self.counts, name)
            if stated != counted:
                raise ProofError(f"the header states {name} {stated}, the proof has {counted}")
        if certificate.crc32 != certificate.actual_crc32:
            raise ProofError("the checksum does not match: the file was damaged or changed")

    def _fold(self, position: Position) -> Position:
        """The least of the symmetric images, compared as numbers, the stones of the side to move first."""
        own, opponent = (games.squares_of(stones) for stones in position)
        return min(
            (sum(1 << image[square] for square in own), sum(1 << image[square] for square in opponent))
            for image in self.game.symmetries
        )

    def _reaches(self, position: Position, bound: int) -> bool:
        """Whether score(position) >= bound, by trying every move down to what the rules settle."""
        self.counts.nodes += 1
        low, high = self.game.bounds_at_sight(position)
        if low >= bound or high < bound:
            return low >= bound
        moves = self.game.legal(position)
        if not moves:
            return not self._reaches(position[::-1], 1 - bound)
        children = [self.game.play(position, move) for move in moves]
        children.sort(key=lambda child: len(self.game.legal(child)))  # only for speed: fewest replies first
        return any(not self._reaches(child, 1 - bound) for child in children)

    def _report(self, section: Section, where: str, number: int, count: int) -> None:
        if number % 16 == 0 and time.monotonic() >= self.next_progress:
            self.next_progress = time.monotonic() + 1
            self.progress(f"{section.name} bound: {where}, {number} of {count} positions")


def _empties(game: Game, position: Position) -> int:
    return game.columns * game.rows - (position[0] | position[1]).bit_count()
