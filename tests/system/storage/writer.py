"""Writes to a store until it is killed; prints a line for each write once it is acknowledged.

python writer.py WHERE FIRST"""

import sys

from stores import make_game

from rlscout.storage import DuelGame, Metric, TrainingState, open_store

where, first = sys.argv[1], int(sys.argv[2])
with open_store(where, "othello6") as store:
    for number in range(first, first + 100_000):
        store.add_games([make_game(2 * number, length=30), make_game(2 * number + 1, length=30)])
        print("games", 2 * number, 2 * number + 1, flush=True)
        store.save_training(TrainingState(number, 60 * number, bytes([number % 256]) * 100_000))
        print("training", number, flush=True)
        if number % 5 == 0:
            model = store.add_model(f"model {number}", bytes([number % 256]) * 50_000, 0, number, {})
            print("model", model, number, flush=True)
            duel = store.open_duel(model, 0, {"number": number}).id
            store.add_duel_games(duel, [DuelGame(0, True, 1, [1, 2, -1])], 3.0, 100.0, 50.0, 150.0)
            store.finish_duel(duel, "stronger", "+")
            print("promoted", model, flush=True)
        store.add_metrics([Metric(float(number), "writer", "number", float(number))])
        print("metric", number, flush=True)
