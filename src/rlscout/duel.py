"""Duels: a new network against the best one, on pairs of games, until the sequential test decides; the winner is
promoted.

Pairs count in the order of their numbers, whatever order they end in: long games are not judged later than short ones,
and a duel that was killed goes on to the very same result. docs/duels.md tells how many games to expect.
"""

from __future__ import annotations

import logging
import math
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rlscout.config import Config, DuelConfig, device_of
from rlscout.feed import Feed
from rlscout.games import Game, GameRecord, game
from rlscout.inference import Evaluator, make_evaluator
from rlscout.network import read_network
from rlscout.process import patiently
from rlscout.sprt import Sprt, Tally
from rlscout.storage import Duel, DuelGame, Store

if TYPE_CHECKING:
    from rlscout._native import BatchedSearch, FinishedGames, SearchOptions

log = logging.getLogger(__name__)


def duel_forever(config: Config, store: Store, stopping: threading.Event) -> None:
    """Judges every new candidate, the newest first, until `stopping` is set. A duel that the store fails goes on from what it kept
    once the store is back."""
    waiting = False
    while not stopping.is_set():
        candidate = patiently(lambda: _next_candidate(store), stopping, log)
        if candidate:
            patiently(lambda c=candidate: duel(config, store, c, store.best_model(), stopping), stopping, log)  # type: ignore[misc]
        elif not waiting:
            log.info("waiting for a candidate")
        waiting = not candidate
        if waiting:
            stopping.wait(config.duel.poll_seconds)


def _next_candidate(store: Store) -> int:
    """The candidate whose duel was begun, else the newest; older ones are refused, as training has gone on. 0: none."""
    pending = store.pending_models()
    if not pending:
        return 0
    begun = [d.candidate for d in store.duels() if d.verdict is None and d.candidate in pending]
    chosen = begun[-1] if begun else pending[-1]
    for model in pending:
        if model < chosen:
            store.set_evaluation(model, "-")
            log.info("model %d is refused without a duel: model %d came after it", model, chosen)
    return chosen


def duel(config: Config, store: Store, candidate: int, baseline: int, stopping: threading.Event) -> Duel | None:
    """Plays until the test decides, then writes verdict and evaluation; None where `stopping` came first."""
    played = game(config.game, config.scoring)
    test = Sprt(config.duel.elo0, config.duel.elo1, config.duel.alpha, config.duel.beta)
    opened = store.open_duel(candidate, baseline, _conditions(config))
    tally, stored = Tally(), store.duel_games(opened.id)
    for first, second in zip(stored[0::2], stored[1::2], strict=False):
        tally.add_pair(_points(first.score), _points(second.score))
    log.info("duel %d: model %d against %d, %d games known", opened.id, candidate, baseline, tally.games)
    verdict = _verdict(test, tally, config.duel.max_pairs)
    if verdict is None:
        models = (candidate, baseline)
        evaluators = [_evaluator(config, store, played, model, player) for player, model in enumerate(models)]
        pairs = Pairs(config, played, candidate, baseline, evaluators, first_game=tally.games)
        while verdict is None and not stopping.is_set():
            fresh = pairs.play()
            kept: list[DuelGame] = []
            for first, second in fresh:
                if verdict is None:
                    tally.add_pair(_points(first.score), _points(second.score))
                    kept += [first, second]
                    verdict = _verdict(test, tally, config.duel.max_pairs)
            if kept:
                standing = (test.llr(tally.pairs), *tally.elo())
                known = patiently(lambda k=kept, s=standing: store.add_duel_games(opened.id, k, *s), stopping, log)  # type: ignore[misc]
                if known is None:
                    return None  # no verdict without the games that it rests on
    if verdict is None:
        return None
    promoted = verdict == "H1"
    ended = patiently(lambda: store.finish_duel(opened.id, verdict, "+" if promoted else "-"), stopping, log)
    if ended is None:
        return None
    elo, low, high = tally.elo()
    outcome = "promoted" if promoted else "refused"
    log.info("model %d %s: %d games, %+.0f Elo [%+.0f, %+.0f]", candidate, outcome, tally.games, elo, low, high)
    return ended


def _verdict(test: Sprt, tally: Tally, max_pairs: int) -> str | None:
    decision = test.decision(tally.pairs)
    if decision != "open":
        return decision
    return "undecided" if sum(tally.pairs) >= max_pairs else None


def _points(score: int) -> float:
    return 0.5 + 0.5 * ((score > 0) - (score < 0))


def _conditions(config: Config) -> dict[str, Any]:
    """All that the games and the verdict depend on."""
    conditions = asdict(config.duel)
    for name in ("games", "batch", "threads", "poll_seconds"):
        del conditions[name]
    search = asdict(config.search)
    return {
        **conditions,
        **{name: search[name] for name in ("c_puct", "fpu", "margin", "symmetries")},
        "seed": config.seed,
    }


def _evaluator(config: Config, store: Store, played: Game, model: int, player: int) -> Evaluator | None:
    if model == 0:
        return None
    search = config.search
    network = read_network(store.weights(model), played.name)
    return make_evaluator(search.backend, network, device_of(search.device, player), search.network_threads)


class Pairs:
    """The games of a duel, in pairs and in order."""

    def __init__(
        self,
        config: Config,
        played: Game,
        candidate: int,
        baseline: int,
        evaluators: list[Evaluator | None],
        first_game: int = 0,
    ) -> None:
        self.game, self.evaluators = played, evaluators
        settings, search = config.duel, config.search
        options: SearchOptions = {
            "mode": "duel",
            "players": ["rollouts" if evaluator is None else "network" for evaluator in evaluators],
            "games": settings.games,
            "total_games": 2 * settings.max_pairs - first_game,
            "first_game": first_game,
            "simulations": settings.simulations,
            "c_puct": search.c_puct,
            "fpu": search.fpu,
            "noise_alpha": 0.0,
            "temperature": settings.temperature,
            "temperature_plies": settings.temperature_plies,
            "opening_plies": settings.opening_plies,
            "margin": search.margin,
            "reuse_tree": True,
            "symmetries": search.symmetries,
            "seed": (config.seed * 1_000_003 + candidate * 1009 + baseline) % 2**63,
            "threads": settings.threads,
        }
        self.search: BatchedSearch = played.engine.batched_search(options)
        self.feeds = [Feed(played, self.search, player, settings.batch) for player in (0, 1)]
        self.ended: dict[int, DuelGame] = {}
        self.next = first_game

    def play(self) -> list[tuple[DuelGame, DuelGame]]:
        """A round of evaluations for each network; the pairs that are complete now, in order of number."""
        for feed, evaluator in zip(self.feeds, self.evaluators, strict=True):
            if evaluator is not None or not any(self.evaluators):
                feed.gather(evaluator)
        for ended in duel_games(self.game, self.search.take_games()):
            self.ended[ended.number] = ended
        pairs = []
        while self.next in self.ended and self.next + 1 in self.ended:
            pairs.append((self.ended.pop(self.next), self.ended.pop(self.next + 1)))
            self.next += 2
        return pairs


def duel_games(played: Game, games: FinishedGames) -> list[DuelGame]:
    """Finished games as the store takes them; player 0 is the candidate."""
    made = []
    end = 0
    for i, number in enumerate(games["game"].tolist()):
        begin, end = end, end + int(games["length"][i])
        candidate_first = int(games["player_first"][i]) == 0
        score = int(games["score"][i])
        made.append(
            DuelGame(
                number=number,
                candidate_first=candidate_first,
                score=score if candidate_first else -score,
                moves=_moves(played, games["opening"][i].tolist(), games["move"][begin:end].tolist()),
            )
        )
    return made


def _moves(played: Game, opening: list[int], searched: list[int]) -> list[int]:
    """Every move from the start, passes filled in. An opening that ended the game leaves -1 that are no passes."""
    moves = [move for move in opening if move >= 0] + searched
    return list(GameRecord.of(played.start, moves).moves)


def describe(duel: Duel, settings: DuelConfig) -> str:
    """One line for people; while the test is open, with what it decides by."""
    line = f"model {duel.candidate} against {duel.baseline or 'rollouts'}: +{duel.wins} ={duel.draws} -{duel.losses}"
    if duel.elo is not None and duel.elo_low is not None and duel.elo_high is not None and math.isfinite(duel.elo):
        line += f", {duel.elo:+.0f} Elo [{duel.elo_low:+.0f}, {duel.elo_high:+.0f}]"
    if duel.llr is not None:
        line += f", log likelihood ratio {duel.llr:+.2f}"
        if duel.verdict is None:
            low, high = Sprt(settings.elo0, settings.elo1, settings.alpha, settings.beta).bounds
            line += f" (promoted at {high:+.2f}, as {settings.elo1:+g} Elo rather than {settings.elo0:+g}; refused at {low:+.2f})"
    return line + (f": {'promoted' if duel.verdict == 'H1' else 'refused'}" if duel.verdict else "")
