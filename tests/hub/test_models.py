"""Models: known by their hash, added from a stick, fetched with resume, never used unverified."""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hub import ModelError, models, models_cli
from hub.model_download import alone
from hub.model_install import add, fetch
from hub.models import CatalogueEntry, ModelStore


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _record(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def onnx_model(columns: int = 85, channels: int = 3, note: str = "") -> bytes:
    """An ONNX file of the YOLOX shape that really runs: its output is a constant.

    Field numbers are those of onnx.proto, as in plugins/detectors/_onnxfile.py.
    """

    def tensor_info(name: str, sizes: tuple[int, ...]) -> bytes:
        shape = b"".join(_record(1, _record(1, size)) for size in sizes)
        kind = _record(1, _record(1, 1) + _record(2, shape))
        return _record(1, name.encode()) + _record(2, kind)

    sizes = (1, 21, columns)  # a cell for each of 4 x 4, 2 x 2 and 1
    constant = b"".join(_record(1, size) for size in sizes) + _record(2, 1)
    constant += _record(8, b"values") + _record(9, bytes(4 * 21 * columns))
    node = _record(1, b"values") + _record(2, b"output") + _record(4, b"Identity")
    graph = _record(1, node) + _record(2, b"graph") + _record(5, constant)
    graph += _record(11, tensor_info("images", (1, channels, 32, 32)))
    graph += _record(12, tensor_info("output", sizes))
    opset = _record(1, b"") + _record(2, 13)
    return _record(1, 8) + _record(2, note.encode()) + _record(7, graph) + _record(8, opset)


@dataclass
class Source:
    """A download server that can end a transfer early, ignore ranges or serve other bytes."""

    content: bytes
    cut_after: int | None = None
    ignores_ranges: bool = False
    status: int = 0
    asked: list[str] = field(default_factory=list)
    address: str = ""


@contextmanager
def serving(source: Source) -> Iterator[Source]:
    """The source on a free port of the loopback address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            source.asked.append(wanted)
            if source.status:
                self.send_error(source.status)
                return
            start = 0 if source.ignores_ranges or not wanted else int(wanted[6:].rstrip("-"))
            body = source.content[start:]
            self.send_response(206 if start else 200)
            if start:
                whole = len(source.content)
                self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body if source.cut_after is None else body[: source.cut_after])

        def log_message(self, format: str, *args: object) -> None:
            """Keep the tests' output quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, name="model source")
    thread.start()
    source.address = f"http://127.0.0.1:{server.server_port}/model.onnx"
    try:
        yield source
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


CONTENT = onnx_model(note="the model that the tests know" + "." * 300_000)


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> CatalogueEntry:
    """A catalogue whose best entry is a small model of our own."""
    entries = ModelStore(Path("unused")).catalogue()
    mine = replace(
        entries[0],
        name="test-model",
        url="",
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        bytes=len(CONTENT),
        rank=200,
    )
    monkeypatch.setattr(models, "_catalogue", lambda: (mine, *entries))
    return mine


@pytest.fixture(autouse=True)
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of what comes with the hub: here, nothing."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    monkeypatch.setattr(models, "SHIPPED", folder)
    return folder


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """An empty store in a folder that does not exist yet."""
    return ModelStore(tmp_path / "state" / "models")


def test_the_catalogue_is_complete() -> None:
    """Every entry says licence, source, input, labels, SHA-256 and size."""
    entries = ModelStore(Path("unused")).catalogue()
    assert [entry.name for entry in entries] == ["yolox-nano", "light-person"]
    for entry in entries:
        assert re.fullmatch(r"[0-9a-f]{64}", entry.sha256)
        assert entry.licence == "Apache-2.0"
        assert entry.bytes > 1_000_000
        assert entry.source
        assert entry.input
        assert "person" in entry.labels
    assert len(entries[0].labels) == 80


def test_an_empty_store_has_no_best(store: ModelStore) -> None:
    """Nothing is installed until somebody does it; a name says how to get it."""
    assert store.installed() == []
    assert store.best() is None
    with pytest.raises(ModelError, match=r"not installed \(installed: none\); use .* fetch yolox-"):
        store.resolve("yolox_nano")
    with pytest.raises(ModelError, match="no model is called 'mystery'"):
        store.resolve("mystery")
    with pytest.raises(ModelError, match="there is no model file"):
        store.resolve("some/where.onnx")


def test_a_known_file_is_recognised_whatever_it_is_called(
    store: ModelStore, known: CatalogueEntry, tmp_path: Path
) -> None:
    """Adding from a stick finds name, licence and labels by the SHA-256."""
    stick = tmp_path / "download (1).onnx"
    stick.write_bytes(CONTENT)
    model = add(store, stick)
    assert (model.name, model.licence, model.labels) == ("test-model", "Apache-2.0", known.labels)
    assert model.path == store.folder / "test-model.onnx"
    assert model.path.read_bytes() == CONTENT
    about = json.loads(model.path.with_suffix(".json").read_text())
    assert about["sha256"] == known.sha256
    assert about["source"] == known.source
    assert store.best() == model
    assert store.resolve("test_model") == store.resolve("test-model") == model.path
    assert add(store, stick) == model


def test_an_unknown_file_is_local_with_an_unknown_licence(
    store: ModelStore, known: CatalogueEntry, tmp_path: Path
) -> None:
    """A model of one's own works, ranks below every known one, and promises nothing."""
    own = tmp_path / "Our Model.onnx"
    own.write_bytes(onnx_model(columns=6))
    model = add(store, own)
    assert (model.name, model.licence, model.source) == ("our-model", "unknown", "local")
    assert model.labels == ("person",)
    assert store.best() == model
    (tmp_path / "known.onnx").write_bytes(CONTENT)
    add(store, tmp_path / "known.onnx")
    best = store.best()
    assert best is not None
    assert best.name == "test-model"


def test_two_models_cannot_share_a_name(store: ModelStore, tmp_path: Path) -> None:
    """A different file of the same name is refused and the first one kept."""
    first, second = tmp_path / "one.onnx", tmp_path / "ONE.onnx"
    first.write_bytes(onnx_model())
    second.write_bytes(onnx_model(note="other"))
    kept = add(store, first)
    with pytest.raises(ModelError, match="another model is called one"):
        add(store, second)
    assert store.installed() == [kept]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no model has 0 bytes"),
        (b"GIF89a" + bytes(100), "this is not an ONNX file"),
        (CONTENT[:1000], "this is not an ONNX file, or it is cut short"),
        (onnx_model(columns=7), "nobody says what its classes are called"),
        (onnx_model(columns=5), "of no family that is known"),
        (onnx_model(channels=2), "its input is no picture"),
    ],
)
def test_what_is_no_model_is_refused(
    store: ModelStore, tmp_path: Path, content: bytes, says: str
) -> None:
    """A damaged file or a model of another family is not installed, and leaves nothing behind."""
    file = tmp_path / "file.onnx"
    file.write_bytes(content)
    with pytest.raises(ModelError, match=says):
        add(store, file)
    assert store.installed() == []


def test_names_beside_a_file_come_along(store: ModelStore, tmp_path: Path) -> None:
    """A model that does not name its classes is installed with the list beside it."""
    own = tmp_path / "own.onnx"
    own.write_bytes(onnx_model(columns=7))
    own.with_suffix(".labels.txt").write_text("helmet\nvest\n")
    model = add(store, own)
    assert model.labels == ("helmet", "vest")
    assert model.title == "A model of your own (YOLOX)"
    assert model.input == "float32 1x3x32x32, BGR, 0 to 255"
    assert model.path.with_suffix(".labels.txt").read_text() == "helmet\nvest\n"


def test_what_is_no_file_is_neither_added_nor_listed(store: ModelStore, tmp_path: Path) -> None:
    """A named pipe blocks nobody: it is refused, and passed over where it lies among models."""
    os.mkfifo(tmp_path / "pipe.onnx")
    with pytest.raises(ModelError, match="is not a file"):
        add(store, tmp_path / "pipe.onnx")
    store.folder.mkdir(parents=True)
    os.mkfifo(store.folder / "pipe.onnx")
    (store.folder / "folder.onnx").mkdir()
    assert store.installed() == []


def test_a_file_larger_than_any_model_is_not_read(store: ModelStore, tmp_path: Path) -> None:
    """Two gigabytes of nothing are refused by their size."""
    with (tmp_path / "sparse.onnx").open("wb") as file:
        file.truncate(2 << 30)
    with pytest.raises(ModelError, match="larger than any model"):
        add(store, tmp_path / "sparse.onnx")


def test_a_file_that_is_not_there_is_refused(store: ModelStore, tmp_path: Path) -> None:
    """A missing file is one clear line."""
    with pytest.raises(ModelError, match="cannot be read"):
        add(store, tmp_path / "nowhere.onnx")


def test_a_lost_or_torn_sidecar_is_made_up_for(
    store: ModelStore, known: CatalogueEntry, tmp_path: Path
) -> None:
    """A model whose JSON is gone or broken is recognised by its hash; a changed one is not."""
    (tmp_path / "a.onnx").write_bytes(CONTENT)
    model = add(store, tmp_path / "a.onnx")
    model.path.with_suffix(".json").write_text("{")
    assert store.installed() == [model]
    model.path.with_suffix(".json").unlink()
    assert store.installed() == [model]
    model.path.write_bytes(CONTENT + b"tampered")
    (changed,) = store.installed()
    assert (changed.licence, changed.rank) == ("unknown", 0)


def test_a_fetch_installs_what_it_verified(store: ModelStore, known: CatalogueEntry) -> None:
    """The whole file arrives, progress ends at its size, a second fetch asks for nothing."""
    seen: list[tuple[int, int]] = []
    with serving(Source(CONTENT)) as source:
        model = fetch(store, "test_model", lambda *at: seen.append(at), url=source.address)
        assert fetch(store, "test-model", url=source.address) == model
    assert source.asked == [""]
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert seen == sorted(seen)
    assert store.best() == model
    assert list(store.folder.glob("*.part")) == []


def test_an_interrupted_fetch_goes_on_where_it_stopped(
    store: ModelStore, known: CatalogueEntry
) -> None:
    """What arrived is kept, and only the rest is asked for."""
    with serving(Source(CONTENT, cut_after=100_000)) as source:
        with pytest.raises(ModelError, match=r"100000 of \d+ bytes are kept; the same command"):
            fetch(store, "test-model", url=source.address)
        assert store.installed() == []
        source.cut_after = None
        fetch(store, "test-model", url=source.address)
    assert source.asked == ["", "bytes=100000-"]
    assert store.resolve("test-model").read_bytes() == CONTENT


def test_a_server_without_ranges_starts_over(store: ModelStore, known: CatalogueEntry) -> None:
    """Where the server sends everything again, nothing is doubled."""
    store.folder.mkdir(parents=True)
    (store.folder / "test-model.part").write_bytes(CONTENT[:5000])
    with serving(Source(CONTENT, ignores_ranges=True)) as source:
        fetch(store, "test-model", url=source.address)
    assert source.asked == ["bytes=5000-"]
    assert store.resolve("test-model").read_bytes() == CONTENT


def test_a_wrong_hash_is_refused_and_removed(store: ModelStore, known: CatalogueEntry) -> None:
    """Other bytes of the right length are never installed, and do not spoil the next try."""
    wrong = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
    with serving(Source(wrong)) as source:
        with pytest.raises(ModelError, match=r"is not test-model: its SHA-256 is .* removed"):
            fetch(store, "test-model", url=source.address)
        assert list(store.folder.iterdir()) == []
        source.content = CONTENT
        fetch(store, "test-model", url=source.address)


def test_a_spoiled_beginning_heals_at_the_next_try(
    store: ModelStore, known: CatalogueEntry
) -> None:
    """A half file that was not ours is thrown away once the hash says so."""
    store.folder.mkdir(parents=True)
    (store.folder / "test-model.part").write_bytes(b"x" * 5000)
    with serving(Source(CONTENT)) as source:
        with pytest.raises(ModelError, match="has been removed"):
            fetch(store, "test-model", url=source.address)
        fetch(store, "test-model", url=source.address)


def test_more_bytes_than_known_are_not_read(store: ModelStore, known: CatalogueEntry) -> None:
    """A server that sends without end fills no disk: reading stops at the known size."""
    with (
        serving(Source(b"x" * (len(CONTENT) * 3))) as source,
        pytest.raises(ModelError, match="is not test-model"),
    ):
        fetch(store, "test-model", url=source.address)
    assert list(store.folder.iterdir()) == []


def test_being_offline_is_explained(store: ModelStore, known: CatalogueEntry) -> None:
    """Nobody answers: the message says how to bring the file on a stick."""
    with serving(Source(CONTENT)) as source:
        address = source.address
    with pytest.raises(ModelError, match=r"cannot be reached .* `vestibule models add FILE`"):
        fetch(store, "test-model", url=address)


def test_an_answer_that_is_no_file_is_told(store: ModelStore, known: CatalogueEntry) -> None:
    """The server's own refusal is passed on."""
    with (
        serving(Source(CONTENT, status=404)) as source,
        pytest.raises(ModelError, match="answered 404"),
    ):
        fetch(store, "test-model", url=source.address)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x/y", "nonsense", "http://"])
def test_only_web_addresses_are_fetched(store: ModelStore, known: CatalogueEntry, url: str) -> None:
    """No other kind of address is opened."""
    with pytest.raises(ModelError, match="expected an address that starts with https://"):
        fetch(store, "test-model", url=url)


def test_a_model_without_an_address_says_where_it_comes_from(
    store: ModelStore, known: CatalogueEntry
) -> None:
    """No address in the catalogue and none given: the source is named."""
    with pytest.raises(ModelError, match="has no address; get it from"):
        fetch(store, "test-model")


def test_two_fetches_at_once_do_not_mix(store: ModelStore, known: CatalogueEntry) -> None:
    """While one fetch writes, a second is told so."""
    store.folder.mkdir(parents=True)
    with (
        alone(store.folder / "test-model.part"),
        pytest.raises(ModelError, match="already being fetched"),
    ):
        fetch(store, "test-model", url="http://127.0.0.1:9/x")


def test_the_command_shows_what_there_is(
    store: ModelStore,
    known: CatalogueEntry,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`models list` marks what `auto` takes; `show` prints licence, source, labels and SHA-256."""
    models_cli.list_models(store.folder)
    empty = capsys.readouterr().out
    assert "only guesses from motion" in empty
    assert "the built-in model people is missing" in empty
    (tmp_path / "a.onnx").write_bytes(CONTENT)
    models_cli.add_model(store.folder, tmp_path / "a.onnx")
    assert "test-model is installed (Apache-2.0" in capsys.readouterr().out
    models_cli.list_models(store.folder)
    assert "yes (auto)" in capsys.readouterr().out
    models_cli.show_model(store.folder, "test_model")
    shown = capsys.readouterr().out
    for part in ("licence: Apache-2.0", f"sha256: {known.sha256}", "labels: person,", "source: "):
        assert part in shown
    assert "family: YOLOX\n" in shown
    assert re.search(r"^one look: \d+ ms at 32$", shown, re.MULTILINE)
    (store.folder / "test-model.onnx").write_bytes(b"")
    models_cli.show_model(store.folder, "test-model")
    assert "cannot be used: " in capsys.readouterr().out


@pytest.mark.material
def test_the_real_models_are_recognised(store: ModelStore, material: Path) -> None:
    """The real files of the catalogue have the hashes it says."""
    assert add(store, material / "models" / "light_person_192.onnx").name == "light-person"
    assert add(store, material / "models" / "yolox_nano_416.onnx").name == "yolox-nano"
    best = store.best()
    assert best is not None
    assert best.name == "yolox-nano"
    with pytest.raises(ModelError, match="of no family that is known"):
        add(store, material / "models" / "movenet_singlepose_lightning_192.onnx")
