"""The contract of the native module (one compiled module per processor variant, all alike).

Arrays: `B` positions, `W` words per bitboard, `S` squares, `G` symmetries. A packed position is `uint64[2 * W]`: the stones of
the side to move, then the opponent's; bit `square % 64` of word `square // 64`. Moves are squares; -1 is a pass.
Wrong arguments raise ValueError naming what was given and what is allowed; nothing here aborts the process.
Long calls release the GIL and run on native threads; none calls back into Python.
"""

from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

U64 = NDArray[np.uint64]
I32 = NDArray[np.int32]
I16 = NDArray[np.int16]
U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
F16 = NDArray[np.float16]
I64 = NDArray[np.int64]

VARIANT: str
"""Which processor variant this module was compiled for: "v2", "v3", "v4" or "generic"."""

def families() -> list[tuple[str, str]]:
    """The game families that were built in: (pattern of the name, one-line description)."""

def masked_softmax(logits: F32, legal: U64) -> F32:
    """Probabilities over legal moves: logits [B, S], legal [B, W] -> [B, S]; 0 on illegal squares, all 0 where none is legal."""

def instruction_sets() -> list[str]:
    """What `Tower` can be compiled for and this processor has, fastest first; the last is "portable"."""

class Tower:
    """A quantised network on the CPU; `rlscout.inference.quantised` makes the tensors. One call at a time.

    The answers are the same whatever the batch, the threads and the instruction set."""

    instructions: str
    def __init__(
        self, rows: int, columns: int, tensors: dict[str, NDArray[Any]], threads: int, instructions: str
    ) -> None: ...  # ValueError for tensors that do not fit, and for instructions that are not there
    def evaluate(self, positions: U64, legal: U64) -> tuple[F32, F32]:
        """positions [B, 2W], legal [B, W] -> policy [B, S] as of `masked_softmax`, value [B] in [-1, 1]."""

def engine(game: str, scoring: str = "empties") -> Engine:
    """The engine of a game: "othello4", "othello6", "othello8" (":parallel" for the parallel start), "mnk:M,N,K".

    `scoring`: "empties" or "discs" for Othello, "line" for m,n,k; the default is every game's own. Raises ValueError for an
    unknown name, naming the families, and for the scoring of another game, naming those of this one."""

class Engine:
    """Everything Python may ask of one game. Stateless and safe to share between threads."""

    name: str
    scoring: str
    columns: int
    rows: int
    squares: int
    words: int
    symmetries: int
    max_plies: int  # passes included
    min_score: int
    max_score: int

    def initial(self) -> U64: ...  # [2W]
    def legal(
        self, positions: U64
    ) -> U64: ...  # [B, 2W] -> [B, W]; no bit set where the side must pass or the game is over
    def phase(self, positions: U64) -> U8: ...  # [B]: 0 a move is due, 1 a pass is due, 2 the game is over
    def play(
        self, positions: U64, moves: I32
    ) -> U64: ...  # [B, 2W], [B] -> [B, 2W] seen by the next side; ValueError names an illegal move
    def score(self, positions: U64) -> I32: ...  # [B] finished positions; ValueError where one is not over
    def transform(self, positions: U64, symmetries: U8) -> U64: ...  # [B, 2W], [B]
    def canonical(
        self, positions: U64
    ) -> tuple[U64, U8]: ...  # the least of the symmetric images, and the symmetry that leads to it
    def symmetry_squares(self) -> I32: ...  # [G, S]: square `s` goes to `table[g, s]`
    def validate(self, positions: U64) -> None: ...  # ValueError where stones overlap or lie off the board
    def to_text(self, position: U64, first_to_move: bool) -> str: ...
    def from_text(self, text: str) -> tuple[U64, bool]: ...
    def values(
        self, scores: I32, margin: float
    ) -> F32: ...  # [B]: (1 - margin) * sign(score) + margin * score / max_score
    def perft(
        self, position: U64, depth: int
    ) -> int: ...  # leaves at `depth` plies; a pass is a ply, a finished game one leaf
    pattern_shape: tuple[int, int, int, int]  # first stage (empties), stages, stage size, features; zeros: none
    def pattern_features(
        self, positions: U64
    ) -> I32: ...  # [B, 2W] -> [B, features]: the weights of its stage whose sum predicts a position
    def exact_labels(self, positions: U64, patterns: I32) -> tuple[I32, I64]:
        """[B] exact scores; [B] nodes that empty tables take to refute one step more. Patterns: as in SolverOptions; none: empty."""
    def labels_ahead(self, positions: U64, patterns: I32) -> tuple[I32, I32]:
        """[B] scores four plies ahead, [B] log2 of the nodes of a refutation two plies ahead, in the units of the weights."""
    def solver(self, options: SolverOptions) -> Solver: ...
    def batched_search(self, options: SearchOptions) -> BatchedSearch: ...

class SolverOptions(TypedDict, total=False):
    table_mb: int  # memory of the transposition table, default 64
    threads: int  # default 1: node counts then repeat to the unit
    ordering: str  # "static" (default), "random"; hints, where given, come first
    seed: int  # of the random ordering
    hint_ply: int  # positions at this ply below the root and above are ordered by hints (0: none)
    statistics: bool  # count nodes and first-move cuts by ply
    samples: int  # positions that Solver.samples() keeps for each number of empties and thread
    patterns: I32  # weights of a pattern table [stages, stage_size], where the game has them (Engine.pattern_shape)

class SolveProgress(TypedDict):
    running: bool
    nodes: int
    evaluations: int
    seconds: float
    lower: int  # proven so far for the root, side to move
    upper: int
    ply: int  # of the move last completed nearest the root
    done: float  # rough share of the current pass, 0..1

class SolveResult(TypedDict):
    status: str  # "proven", "limit" (nodes, seconds or memory), "stopped", "wanted" (hints are missing: see Solver.wanted), "disproved" (a certificate)
    lower: int  # lower <= score <= upper is proven, whatever the status
    upper: int
    best_move: int  # a move proven to reach `lower`; -1: pass, none known or game over
    principal_variation: list[int]  # squares, -1 for passes
    nodes: int  # positions entered by search and leaf routines, over all calls since the last reset
    evaluations: int  # static evaluations, counted apart
    seconds: float
    nodes_by_ply: I64  # [max_plies + 1], empty without statistics
    cut_nodes_by_ply: I64  # nodes with a cut
    first_cuts_by_ply: I64  # of these, where the first move tried cut

class Solver:
    """Exact alpha-beta over one transposition table. One job at a time; the table is kept between jobs until `reset`."""

    def start(
        self,
        position: U64,
        lower: int | None = None,
        upper: int | None = None,
        nodes: int | None = None,
        seconds: float | None = None,
    ) -> None:
        """Starts proving the score inside (lower, upper) (default: all scores) and returns at once."""
    def progress(self) -> SolveProgress: ...
    def wait(self, seconds: float) -> bool: ...  # True when the job has ended; raises what it failed by
    def stop(self) -> None: ...  # asks the job to end; it does within milliseconds
    def result(self) -> SolveResult: ...  # of the job that has ended; raises what it failed by
    def samples(self) -> U64: ...  # [n, 2W]: positions considered as replies since the last reset, a uniform choice
    def wanted(self) -> U64: ...  # [n, 2W]: positions at plies <= hint_ply that the last job met without a hint
    def add_hints(
        self, positions: U64, policy: F32 | F16, value: F32
    ) -> None: ...  # [n, 2W], [n, S], [n]; orders moves, never decides truth
    def reset(self) -> None: ...  # forgets table, hints and counters
    def save(self, path: str, note: str = "") -> None:
        """The state of the proofs so far, whole or not at all, while a job runs or not, with a line of text that says what it is of.
        ValueError: it cannot be written."""
    def load(self, path: str) -> str:
        """A saved state in place of what the solver knew, and its note; the nodes spent on it are counted with those of later jobs.

        ValueError, with an empty table, for a file that is none, of another game or scoring, or damaged."""
    def start_certificate(
        self,
        position: U64,
        path: str,
        lower: int,
        upper: int,
        leaf_empties: int,
        seconds: float | None = None,
        first_to_move: bool = True,
    ) -> None:
        """Starts writing the certificate that `lower <= score(position) <= upper`; what the table lost is proved again.

        Ends like a solve: poll `progress`, `wait`, `result`; the file appears (atomically) only when it is complete.
        The status is "disproved" where the bounds are not those of the score. `leaf_empties`: positions with at most this many
        empty squares are left to the checker's own search; 0: down to finished games. `first_to_move`: as in `to_text`."""

class SearchOptions(TypedDict, total=False):
    mode: str  # "selfplay": games against itself; "duel": player 0 against player 1; "analysis": fixed positions, one search each
    players: list[str]  # one or two of "network", "rollouts"
    games: int  # games in flight (trees in the arena)
    total_games: int  # stop after this many games; 0: for ever. A duel plays pairs: game 2i and 2i+1 share an opening, colours swapped
    first_game: int  # number of the first game: game id -> generator, so a run may go on where another stopped
    simulations: int  # walks below the root when a move is chosen (1..65535; analysis: more); those kept from the last move count
    c_puct: float
    fpu: float  # an unvisited child is valued this much below its parent's mean
    noise_alpha: float  # Dirichlet(alpha * 10 / n) over the n legal moves of the root; 0: none
    noise_weight: float
    temperature: float
    temperature_plies: int  # moves are drawn by visits^(1/temperature) before this ply, the most visited after
    opening_plies: int  # random moves before the search begins; they stop short of the end of the game
    # Self-play: a number up to it, drawn for each game.
    # Duels: no two pairs begin alike, up to symmetry. Where a game has too few openings of this length, more moves are drawn;
    # repeats come last of all.
    margin: float
    reuse_tree: bool
    symmetries: bool  # evaluate under a symmetry chosen by hash(seed, position)
    fold: bool  # then all images of a position are given out as the same one, so that an answer kept for one serves all; default off
    cache: int  # answers of the network kept across games, shared out to the threads (4 * S + 24 bytes each); default 0
    # Not for duels. Games do not depend on it, where the network answers a position always alike.
    seed: int
    threads: int

class FinishedGames(TypedDict):
    """`n` games with `t` searched positions in all, in order of game and ply."""

    game: I64  # [n] game numbers
    length: I32  # [n] positions of each game in the arrays below
    score: I32  # [n] of the finished game, for the side that moved first at ply 0
    player_first: U8  # [n] which player moved first at ply 0 (duel)
    opening: (
        I32  # [n, longest] squares of the random moves before the first search, passes left out; -1 fills shorter rows
    )
    positions: U64  # [t, 2W]
    visits: NDArray[np.uint16]  # [t, S]
    value: F32  # [t] root value of the search, side to move
    outcome: I32  # [t] final score, side to move
    move: I32  # [t] the square played
    ply: I32  # [t]
    player: U8  # [t] who searched

class RootStatistics(TypedDict):
    visits: I32  # [B, S]
    prior: F32  # [B, S]
    value: F32  # [B, S] mean value of each move, for the side to move at the root; NaN where not visited
    root_value: F32  # [B]

class SearchCounters(TypedDict):
    simulations: int
    evaluations: int  # leaves given out by gather
    known: int  # leaves whose answer was kept from before
    rollouts: int
    moves: int
    games: int
    nodes: int  # in the trees now
    tree_bytes: int  # bytes that these take

class BatchedSearch:
    """Many games, one tree each (a duel: one for each player), one leaf per tree and round. Every option holds in every mode.

    A game is a function of the seed, its number and the network's answers: the same whatever the slots, batches or threads.
    Not safe to call from two threads at once."""

    def set_positions(self, positions: U64) -> None: ...  # mode "analysis": the roots [B, 2W], B <= games
    def gather(self, player: int, positions: U64, legal: U64, seconds: float = 0.1) -> int:
        """Advances every game until it waits for a network or `seconds` have passed; writes up to len(positions) leaves
        of `player` (packed [n, 2W], legal [n, W], symmetry applied), taken evenly from all threads where more are waiting, and returns n.
        Rollout players are served inside; with only these, or where all leaves are the other player's, n is 0."""
    def scatter(self, player: int, policy: F32 | F16, value: F32) -> None:
        """Backs up the answers to the last gather of `player`, in its order, and walks on to the next leaves: policy [n, S]
        (probabilities or any non-negative weights; renormalised over legal moves, uniform where all are zero), value [n] (side to
        move, in [-1, 1]).
        Policies of either type are read where they lie; other types are converted first.
        ValueError names a row that is faulty; nothing is backed up then, and the leaves still wait."""
    def forget_answers(self) -> None: ...  # another network answers from now on; what is still out is not kept either
    def take_games(self) -> FinishedGames: ...  # games finished since the last call, by number
    def root_statistics(self) -> RootStatistics: ...  # mode "analysis"
    def finished(self) -> bool: ...  # total_games reached, or every analysis done
    def counters(self) -> SearchCounters: ...
    def repeated_nodes(self) -> tuple[int, int]:
        """(nodes in all trees now, those whose position, images folded, another node of the same tree has: all but one of each)"""
