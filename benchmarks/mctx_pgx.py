"""Self-play of Othello 8x8 beside mctx and pgx (DeepMind's batched MCTS and the games of Koyama et al., both in JAX), one core.

    python benchmarks/mctx_pgx.py [--seconds 8] [--repeats 3] [--sims 32] [--games 128]

Both play whole games against themselves, so many in flight, so many simulations a move; a network of 2 blocks of 64 channels with
random weights judges each leaf, or, in the rows of rollouts, a random game to its end. The programs take turns, each
in a process of its own on the same core. Evaluations (or rollouts) executed per CPU second: least, median and greatest of
the repeats. Needs jax, mctx and pgx for the peer's rows: they are no part of this project."""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from typing import Any

BLOCKS, CHANNELS = 2, 64


def network(key: Any) -> tuple[Any, Any]:
    """(weights, function from planes [games, 8, 8, 2] to (logits [games, 65], values [games])): two blocks of two
    3x3 convolutions, heads of two 1x1 planes each, as ours."""
    import jax
    import jax.numpy as jnp

    def weights(*shape: int) -> Any:
        nonlocal key
        key, one = jax.random.split(key)
        return jax.random.normal(one, shape) / jnp.sqrt(float(jnp.prod(jnp.array(shape[:-1]))))

    tower = [weights(3, 3, 2 if i == 0 else CHANNELS, CHANNELS) for i in range(1 + 2 * BLOCKS)]
    heads = [weights(CHANNELS, 2), weights(CHANNELS, 2)]
    dense = [weights(128, 65), weights(128, 64), weights(64, 1)]
    biases = [jnp.zeros(layer.shape[-1]) for layer in tower]

    def apply(params: Any, planes: Any) -> tuple[Any, Any]:
        tower, biases, heads, dense = params

        def conv(x: Any, layer: int) -> Any:
            out = jax.lax.conv_general_dilated(
                x, tower[layer], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
            return out + biases[layer]

        x = jax.nn.relu(conv(planes, 0))
        for block in range(BLOCKS):
            x = jax.nn.relu(x + conv(jax.nn.relu(conv(x, 1 + 2 * block)), 2 + 2 * block))
        policy, value = (jax.nn.relu(x @ head).reshape(x.shape[0], -1) for head in heads)
        return policy @ dense[0], jnp.tanh(jax.nn.relu(value @ dense[1]) @ dense[2])[:, 0]

    return (tower, biases, heads, dense), apply


def peer(judge: str, sims: int, games: int, seconds: float) -> float:
    """Evaluations or rollouts per CPU second of this process, after what compiling takes."""
    import jax
    import jax.numpy as jnp
    import mctx
    import pgx
    from pgx.experimental import auto_reset

    env = pgx.make("othello")
    step, every = jax.vmap(env.step), jnp.arange(games)
    step_or_reset = jax.vmap(auto_reset(env.step, env.init))
    params, apply = network(jax.random.PRNGKey(0))

    def rollout(state: Any, key: Any) -> Any:
        """The outcome of a random game from here, for the player to move."""
        player = state.current_player

        def move(carry: Any) -> Any:
            state, total, key = carry
            key, one = jax.random.split(key)
            action = jax.random.categorical(one, jnp.where(state.legal_action_mask, 0.0, -jnp.inf))
            state = step(state, action)
            return state, total + state.rewards[every, player], key

        start = (state, jnp.zeros(games), key)
        return jax.lax.while_loop(lambda carry: ~carry[0].terminated.all(), move, start)[1]

    def judged(params: Any, state: Any, key: Any) -> tuple[Any, Any]:
        if judge == "rollout":
            logits, value = jnp.zeros(state.legal_action_mask.shape), rollout(state, key)
        else:
            logits, value = apply(params, state.observation.astype(jnp.float32))
        return jnp.where(state.legal_action_mask, logits, jnp.finfo(logits.dtype).min), value

    def recurrent(params: Any, key: Any, action: Any, state: Any) -> tuple[Any, Any]:
        player, state = state.current_player, step(state, action)
        logits, value = judged(params, state, key)
        over = state.terminated
        return mctx.RecurrentFnOutput(
            reward=state.rewards[every, player],
            discount=jnp.where(over, 0.0, -1.0),
            prior_logits=logits,
            value=jnp.where(over, 0.0, value),
        ), state

    def one_turn(params: Any, state: Any, key: Any) -> Any:
        keys = jax.random.split(key, 4)
        logits, value = judged(params, state, keys[0])
        found = mctx.muzero_policy(
            params,
            keys[1],
            mctx.RootFnOutput(prior_logits=logits, value=value, embedding=state),
            recurrent,
            sims,
            invalid_actions=~state.legal_action_mask,
        )
        return step_or_reset(state, found.action, jax.random.split(keys[2], games)), keys[3]

    turn = jax.jit(one_turn)
    state, key = jax.vmap(env.init)(jax.random.split(jax.random.PRNGKey(1), games)), jax.random.PRNGKey(2)
    state, key = jax.block_until_ready(turn(params, state, key))
    turns, begin = 0, time.process_time()
    while time.process_time() - begin < seconds:
        state, key = jax.block_until_ready(turn(params, state, key))
        turns += 1
    return turns * games * (sims + 1) / (time.process_time() - begin)


def ours(judge: str, backend: str, sims: int, games: int, seconds: float) -> float:
    """The same of ours."""
    if judge == "rollout":
        from rlscout import bench_mcts

        return bench_mcts.measure("othello8", "rollout", sims, games, seconds=seconds).sims_per_s
    from rlscout import bench_selfplay

    asked = bench_selfplay.Asked(
        network=f"{BLOCKS}x{CHANNELS}", simulations=sims, games=games, seconds=seconds, backend=backend
    )
    return bench_selfplay.measure(asked).evaluations_per_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sims", type=int, default=32)
    parser.add_argument("--games", type=int, default=128)
    parser.add_argument("--backends", default="native-int8,onnx", help="ours, of the network's rows")
    parser.add_argument("--one", nargs=2, metavar=("PROGRAM", "JUDGE"), help="this row alone, once, as a number")
    options = parser.parse_args()
    if options.one:
        program, judge = options.one
        measured = (judge, options.sims, options.games, options.seconds)
        print(peer(*measured) if program == "mctx" else ours(judge, program, *measured[1:]))
        return

    rows = [(name, "network") for name in ["mctx", *options.backends.split(",")]]
    rows += [("mctx", "rollout"), ("rlscout", "rollout")]
    core = min(os.sched_getaffinity(0))
    environment = os.environ | {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false", "JAX_PLATFORMS": "cpu"}
    rates: dict[tuple[str, str], list[float]] = {row: [] for row in rows}
    for _ in range(options.repeats):
        for row in rows:
            command = ["taskset", "-c", str(core), sys.executable, __file__, "--one", *row]
            command += [f"--{name}={getattr(options, name)}" for name in ("seconds", "sims", "games")]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(f"{' '.join(command)}: exit status {done.returncode}\n{done.stderr[-2000:]}")
            rates[row].append(float(done.stdout.split()[-1]))
    print(f"{'per CPU second':<32} {'least':>10} {'median':>10} {'greatest':>10} {'over mctx':>10}")
    for (program, judge), found in rates.items():
        middle, beside = statistics.median(found), statistics.median(rates["mctx", judge])
        what = "evaluations" if judge == "network" else "rollouts"
        print(
            f"{what + ', ' + program:<32} {min(found):>10,.0f} {middle:>10,.0f} {max(found):>10,.0f} {middle / beside:>10.1f}"
        )


if __name__ == "__main__":
    main()
