"""The server: who may talk to it, what it does with garbage, and what its clients see of restarts and silence."""

import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import zmq
from stores import make_game, serving

from rlscout.storage import StoreError, open_store
from rlscout.storage.keys import make_keys
from rlscout.storage.local import LocalStore
from rlscout.storage.messages import MAGIC, REQUESTS, answer_decoder, encode
from rlscout.storage.server import CleanUp, Server


def ask(address: str, frames: list[bytes], seconds: float = 30.0) -> list[bytes] | None:
    """Sends raw frames as a client would; None where nothing is answered."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as client:
        client.linger = 1000
        client.connect(address)
        client.send_multipart(frames)
        return client.recv_multipart() if client.poll(round(1000 * seconds)) else None


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"


def test_another_game_is_refused_by_name(tmp_path: Path) -> None:
    with serving(tmp_path) as server, pytest.raises(ValueError, match=r"holds the game othello6, not othello8"):
        open_store(server.address, "othello8")


def test_a_client_that_leaves_while_the_server_is_stopped_does_not_end_it(tmp_path: Path) -> None:
    """As libzmq 4.3 did where its heartbeats waited behind more requests than the socket takes."""
    program = (
        "import sys; from pathlib import Path; from rlscout.storage.server import serve; "
        "serve(Path(sys.argv[1]), 'tcp://127.0.0.1:*', 'othello6', ready=lambda address: print(address, flush=True))"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        address = server.stdout.readline().strip()
        with zmq.Context() as context, context.socket(zmq.DEALER) as client:
            client.linger = 0
            client.heartbeat_ivl, client.heartbeat_timeout = 50, 20_000
            client.connect(address)
            request = [MAGIC, b"r" * 16, *encode(REQUESTS["ping"]())]
            client.send_multipart(request)
            client.recv_multipart()
            server.send_signal(signal.SIGSTOP)
            for _ in range(20):
                client.send_multipart(request)
                time.sleep(0.1)
        server.send_signal(signal.SIGCONT)
        with open_store(address, "othello6") as store:
            assert store.ping().game == "othello6"
        server.terminate()
    assert server.returncode == 0


@pytest.mark.parametrize("port", ["0", "65536", "80000", "-1", "five", ""])
def test_a_port_that_is_none_is_refused(port: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="with a port of 1 to 65535"):
        open_store(f"tcp://127.0.0.1:{port}")
    with (
        LocalStore(tmp_path, "othello6") as local,
        pytest.raises(ValueError, match="with a port of 1 to 65535, or \\*"),
    ):
        Server(local, f"tcp://127.0.0.1:{port}")


@pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="no IPv6 here")
def test_ipv6(tmp_path: Path) -> None:
    with serving(tmp_path, "tcp://[::1]:*") as server, open_store(server.address, "othello6") as store:
        assert store.ping().game == "othello6"


def test_a_host_by_name_is_found_where_the_server_listens(tmp_path: Path) -> None:
    """`localhost` has an IPv6 address too on most hosts."""
    with (
        serving(tmp_path) as server,
        open_store(server.address.replace("127.0.0.1", "localhost"), timeout=10.0) as store,
    ):
        assert store.ping().game == "othello6"


def test_garbage_is_refused_and_the_server_lives(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    header, body = encode(REQUESTS["add_games"]([make_game(1)]))
    with serving(tmp_path) as server, zmq.Context() as context, context.socket(zmq.DEALER) as client:
        client.linger = 1000
        client.connect(server.address)
        for _ in range(300):
            client.send_multipart([random.bytes(random.integers(0, 60)) for _ in range(random.integers(1, 9))])
            place = int(random.integers(0, len(header)))
            damaged = header[:place] + random.bytes(1) + header[place + 1 :]
            client.send_multipart([MAGIC, random.bytes(16), damaged, body[: random.integers(0, len(body) + 1)]])
        with open_store(server.address, "othello6") as store:
            store.add_games([make_game(2)])
            assert store.sample_counts().games >= 1


def test_raw_bytes_on_the_port_are_dropped(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        host, port = server.address.removeprefix("tcp://").split(":")
        for content in (b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 10_000, b""):
            with socket.create_connection((host, int(port))) as stranger:
                stranger.sendall(content)
        with open_store(server.address) as store:
            assert store.ping().game == "othello6"


def test_a_refused_request_says_why(tmp_path: Path) -> None:
    decode = answer_decoder("ping")
    with serving(tmp_path) as server:
        answer = ask(server.address, [MAGIC, b"i" * 16, b"garbage", b""])
        assert answer is not None
        assert answer[:2] == [MAGIC, b"i" * 16]
        assert "does not fit the protocol" in decode(*answer[2:]).text
        answer = ask(server.address, [b"rlscout\x63", b"j" * 16, *encode(REQUESTS["ping"]())])
        assert answer is not None
        assert r"rlscout\x01" in decode(*answer[2:]).text


def test_a_resend_gets_the_answer_of_the_first_sending(tmp_path: Path) -> None:
    frames = [MAGIC, b"r" * 16, *encode(REQUESTS["add_games"]([make_game(1)]))]
    with serving(tmp_path) as server:
        for _ in range(2):
            answer = ask(server.address, frames)
            assert answer is not None
            assert answer_decoder("add_games")(*answer[2:]).value == 1
        with open_store(server.address) as store:
            assert store.sample_counts().games == 1


def test_a_failing_store_is_an_error_at_the_client(tmp_path: Path) -> None:
    with LocalStore(tmp_path, "othello6") as local, local._database.read() as connection:
        connection.execute("drop table metrics")
    with serving(tmp_path) as server, open_store(server.address) as store:
        with pytest.raises(StoreError, match=r"rlscout\.db.*metrics"):
            store.read_metrics("loss")
        assert store.add_games([make_game(1)]) == 1


def test_a_full_database_is_an_error_at_the_client_and_the_server_goes_on(tmp_path: Path) -> None:
    games = [make_game(number, length=100) for number in range(50)]
    with LocalStore(tmp_path, "othello6") as local:
        server = Server(local, "tcp://127.0.0.1:*")
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            with open_store(server.address) as store:
                store.add_games([make_game(100)])
                with local._database.read() as connection:
                    connection.execute("pragma max_page_count = 40")
                with pytest.raises(StoreError, match=r"rlscout\.db: no room"):
                    store.add_games(games)
                assert store.sample_counts().games == 1
                with local._database.read() as connection:
                    connection.execute("pragma max_page_count = 1000000")
                assert store.add_games(games) == 50
        finally:
            server.stop()
            thread.join()
            server.close()


def test_a_client_goes_on_after_a_restart(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        address = server.address
        store = open_store(address, "othello6")
        assert store.add_games([make_game(1)]) == 1
    answers: list[int] = []
    waiting = threading.Thread(target=lambda: answers.append(store.add_games([make_game(1), make_game(2)])))
    waiting.start()
    time.sleep(0.2)
    with serving(tmp_path, address):
        waiting.join()
        assert answers == [1]
        store.close()


def test_silence_ends_in_an_error_that_names_the_address(tmp_path: Path) -> None:
    address = free_address()
    with pytest.raises(StoreError, match=rf"{address}: no answer within 0\.3 seconds.*rlscout serve.*CURVE"):
        open_store(address, "othello6", timeout=0.3)


def test_a_client_that_is_asked_to_stop_waits_no_longer(tmp_path: Path) -> None:
    stopping = threading.Event()
    threading.Timer(0.2, stopping.set).start()
    with pytest.raises(StoreError, match="no answer within 2 seconds"):
        open_store(free_address(), timeout=10**6, stopping=stopping)
    with serving(tmp_path) as server, open_store(server.address, stopping=stopping) as store:
        assert store.add_games([make_game(1)]) == 1


def test_two_servers_at_one_address(tmp_path: Path) -> None:
    with (
        serving(tmp_path / "a") as server,
        pytest.raises(StoreError, match="another server"),
        serving(tmp_path / "b", server.address),
    ):
        pass


@pytest.mark.parametrize("address", ["tcp://0.0.0.0:*", "tcp://*:5555", "tcp://192.168.0.1:5555", "tcp://[::]:5555"])
def test_beyond_loopback_keys_are_needed(tmp_path: Path, address: str) -> None:
    with pytest.raises(ValueError, match="CURVE keys"), serving(tmp_path, address):
        pass


@pytest.mark.parametrize("address", ["tcp://example.org:5555", "tcp://10.0.0.1:1"])
def test_a_client_does_not_talk_in_the_clear_beyond_loopback(address: str) -> None:
    with pytest.raises(ValueError, match="CURVE keys"):
        open_store(address)


@pytest.mark.parametrize(
    "address", ["udp://127.0.0.1:1", "tcp://127.0.0.1", "tcp://127.0.0.1:port", "http://localhost:1"]
)
def test_what_is_no_address(tmp_path: Path, address: str) -> None:
    with pytest.raises(ValueError, match="tcp://"):
        open_store(address, timeout=0.1)
    with pytest.raises(ValueError, match="tcp://"), serving(tmp_path, address):
        pass


def test_a_client_with_an_allowed_key_gets_in(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    make_keys(keys)
    with serving(tmp_path, "tcp://0.0.0.0:*", keys=keys) as server:
        address = server.address.replace("0.0.0.0", "127.0.0.1")
        with open_store(address, "othello6", keys=keys) as store:
            assert store.add_games([make_game(1)]) == 1


def test_a_client_with_an_unknown_key_or_none_is_told_after_a_time_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_keys(tmp_path / "keys")
    make_keys(tmp_path / "stranger")
    (tmp_path / "stranger" / "server.pub").write_bytes((tmp_path / "keys" / "server.pub").read_bytes())
    with serving(tmp_path, keys=tmp_path / "keys") as server:
        with pytest.raises(StoreError, match=rf"{server.address}: no answer.*clients\.pub"):
            open_store(server.address, keys=tmp_path / "stranger", timeout=0.5)
        with pytest.raises(StoreError, match=r"no answer.*wants? CURVE keys"):
            open_store(server.address, timeout=1.5)  # long enough to send again after the handshake has failed
        with open_store(server.address, keys=tmp_path / "keys") as store:
            assert store.sample_counts().games == 0
    assert "is not in clients.pub" in caplog.text


def test_keys_are_kept_secret_and_never_replaced(tmp_path: Path) -> None:
    first = make_keys(tmp_path)
    content = {path: path.read_bytes() for path in first}
    assert {path.name for path in first} == {"server.key", "server.pub", "client.key", "clients.pub"}
    assert make_keys(tmp_path) == []
    assert {path.name for path in make_keys(tmp_path, "laptop")} == {"laptop.key", "clients.pub"}
    for path in tmp_path.glob("*.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert all(path.read_bytes() == old for path, old in content.items() if path.name != "clients.pub")
    assert len((tmp_path / "clients.pub").read_text().splitlines()) == 2
    with pytest.raises(ValueError, match="plain name"):
        make_keys(tmp_path, "../client")


def test_a_key_is_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ends(descriptor: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(os, "fsync", ends)
        with pytest.raises(KeyboardInterrupt):
            make_keys(tmp_path)
    assert not (tmp_path / "server.key").exists()
    assert {path.name for path in make_keys(tmp_path)} == {"server.key", "server.pub", "client.key", "clients.pub"}
    assert all(len(path.read_text().strip()) == 40 for path in tmp_path.glob("*.key"))


def test_missing_and_broken_keys_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"rlscout keys"), serving(tmp_path, keys=tmp_path / "none"):
        pass
    with pytest.raises(ValueError, match=r"rlscout keys"):
        open_store("tcp://127.0.0.1:1", keys=tmp_path / "none")
    make_keys(tmp_path / "keys")
    (tmp_path / "keys" / "client.key").write_text("short")
    with pytest.raises(ValueError, match=r"client\.key: a key has 40 characters") as caught:
        open_store("tcp://127.0.0.1:1", keys=tmp_path / "keys")
    assert "short" not in str(caught.value)


def test_clients_are_allowed_and_refused_while_the_server_runs(tmp_path: Path) -> None:
    keys, laptop = tmp_path / "keys", tmp_path / "laptop"
    make_keys(keys)
    with serving(tmp_path / "run", keys=keys) as server:
        make_keys(keys, "laptop")
        laptop.mkdir()
        (laptop / "client.key").write_bytes((keys / "laptop.key").read_bytes())
        (laptop / "server.pub").write_bytes((keys / "server.pub").read_bytes())
        with open_store(server.address, keys=laptop) as store:
            assert store.ping().game == "othello6"
        clients = (keys / "clients.pub").read_text().splitlines()
        (keys / "clients.pub").write_text(clients[0] + "\n")
        with pytest.raises(StoreError, match="no answer"):
            open_store(server.address, keys=laptop, timeout=1.0)
        (keys / "damaged").write_text("damaged\n")
        (keys / "damaged").replace(keys / "clients.pub")  # at once: the refused client may be trying again
        with open_store(server.address, keys=keys) as store:
            assert store.ping().game == "othello6"


def test_the_server_cleans_up_by_itself(tmp_path: Path) -> None:
    with serving(tmp_path, clean_up=CleanUp(0, 1, 0, seconds=0.01)) as server, open_store(server.address) as store:
        for key in "ab":
            store.set_evaluation(store.add_model(key, b"w", 0, 1, {}), "-")
        for _ in range(1000):
            if (found := [model.has_weights for model in store.models()]) == [False, False, True]:
                break
            time.sleep(0.01)
        assert found == [False, False, True]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_stops_cleanly_and_never_loads_torch(tmp_path: Path, number: signal.Signals) -> None:
    code = (
        "import sys; from pathlib import Path; from rlscout.storage.server import serve; "
        "serve(Path(sys.argv[1]), 'tcp://127.0.0.1:*', 'othello6', ready=lambda address: print(address, flush=True)); "
        "print('torch' in sys.modules)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        with open_store(process.stdout.readline().strip(), "othello6") as store:
            store.add_games([make_game(1)])
        os.kill(process.pid, number)
        assert process.stdout.read() == "False\n"
        assert process.wait() == 0
    assert [path.name for path in tmp_path.iterdir()] == ["rlscout.db"]
