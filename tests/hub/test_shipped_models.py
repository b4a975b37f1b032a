"""The model that comes with the hub: used where nothing better is installed, never when damaged."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from hub import Context, Crop, ModelError, models, models_cli
from hub.model_install import add, fetch
from hub.modelcards import card_text, described
from hub.models import ModelStore
from hub.models_view import models_in_use
from hub.perception.detectors import Detectors
from hub.perception.spec import DetectorSpec, WorkerSpec
from hub.testing import FakeClock
from plugins.detectors.onnx import OnnxConfig, OnnxDetector, build
from tests.plugins.detectors.graphs import convolving, ship


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of what comes with the hub, empty."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    monkeypatch.setattr(models, "SHIPPED", folder)
    return folder


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "state" / "models")


def auto(tmp_path: Path, model: str = "auto") -> object:
    context = Context(name="people", state=tmp_path / "state", config_folder=tmp_path)
    return build(OnnxConfig(model=model), context)


# ------------------------------------------------------------------ what is taken


def test_auto_takes_the_built_in_model_where_none_is_installed(
    tmp_path: Path, folder: Path, store: ModelStore
) -> None:
    """It looks at luma at the sizes that it tells, and its name, licence and hash are known."""
    model = ship(folder)
    detector = auto(tmp_path)
    assert isinstance(detector, OnnxDetector)
    info = detector.info
    assert (info.name, info.licence, info.luma) == ("people", "Apache-2.0", True)
    assert info.input_sizes == (192, 256)
    picture = np.zeros((90, 160), np.uint8)
    crop = Crop(picture, (0, 0, 160, 90), (160, 90), np.zeros((0, 4), np.int32), 192)
    assert len(detector.infer([crop])) == 1
    detector.close()
    assert store.resolve("people") == model
    best = store.best()
    assert best is not None
    assert (best.title, best.labels, best.shipped) == (
        "People, seen by a fixed camera", ("person",), True,
    )  # fmt: skip
    assert store.of_hash(info.sha256) == best
    assert store.installed() == []


def test_a_built_in_model_that_cannot_be_read_is_told_and_no_harm_to_others(
    folder: Path, store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bad sector gives a reason; an installed model is not even asked about it."""

    def failing(path: Path) -> tuple[str, int]:
        raise OSError(5, "Input/output error")

    ship(folder)
    models._digest_of.cache_clear()
    monkeypatch.setattr(models, "sha256_of", failing)
    assert "Input/output error" in store.fault()
    assert store.shipped() == []
    assert store.best() is None


def test_whatever_is_installed_goes_before_it(
    tmp_path: Path, folder: Path, store: ModelStore
) -> None:
    """Also a model of one's own, which no catalogue ranks."""
    ship(folder)
    own = tmp_path / "own.onnx"
    own.write_bytes(convolving((8, 16, 32), 6, squashed_from=4).SerializeToString())
    add(store, own)
    best = store.best()
    assert best is not None
    assert (best.name, best.shipped) == ("own", False)
    assert [model.name for model in store.available()] == ["own", "people"]


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("nothing", r"no model is installed, and the built-in model people is missing \("),
        ("cut short", r"the built-in model people is damaged .*, its card says "),
        ("no card", r"people\.md: the model's card cannot be read"),
        ("a bare card", r"people\.md: expected front matter between two lines of ---"),
        ("a card of nothing", r"people\.md: expected title, licence, source, input, labels, sha"),
        ("no yaml", r"people\.md: its front matter is not YAML"),
    ],
)
def test_without_it_the_hub_guesses_and_says_why(
    tmp_path: Path, folder: Path, store: ModelStore, what: str, says: str
) -> None:
    """Missing, damaged or undescribed: never used, told by name, and an error for who asks."""
    if what != "nothing":
        model = ship(folder)
        card = model.with_suffix(".md")
        if what == "cut short":
            model.write_bytes(model.read_bytes()[:-10])
        elif what == "no card":
            card.unlink()
        else:
            front = {"a bare card": "# People\n", "a card of nothing": "---\na: 1\n---\n",
                     "no yaml": "---\n{\n---\n"}  # fmt: skip
            card.write_text(front[what])
    assert store.best() is None
    detector = auto(tmp_path)
    assert detector.info.guessing  # type: ignore[attr-defined]
    with pytest.raises(AssertionError, match=says):
        raise AssertionError(detector.info.name)  # type: ignore[attr-defined]
    with pytest.raises(ModelError, match="install Vestibule anew"):
        auto(tmp_path, "people")
    with pytest.raises(ModelError, match="install Vestibule anew"):
        fetch(store, "people")


def test_the_same_file_is_not_installed_twice(
    tmp_path: Path, folder: Path, store: ModelStore
) -> None:
    """Added from a stick it is known by its hash; another of its name is refused."""
    stick = tmp_path / "download.onnx"
    stick.write_bytes(ship(folder).read_bytes())
    assert add(store, stick).shipped
    assert fetch(store, "people").shipped
    other = tmp_path / "people.onnx"
    other.write_bytes(convolving((8, 16, 32), 6, squashed_from=4).SerializeToString())
    with pytest.raises(ModelError, match="another model is called people"):
        add(store, other)


# ------------------------------------------------------------------ what people see


def test_the_commands_know_it(
    folder: Path, store: ModelStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """`list` marks it, `show` prints its card, `fetch` has nothing to do, `verify` reads it."""
    model = ship(folder)
    models_cli.list_models(store.folder)
    listed = capsys.readouterr().out
    assert "built in (auto)" in listed
    assert "vestibule models fetch yolox-nano" in listed
    models_cli.show_model(store.folder, "people")
    shown = capsys.readouterr().out
    assert f"installed: built in, {model}" in shown
    assert "ms at 192, " in shown
    assert shown.endswith("# People\n\nIt fails at night.\n")
    models_cli.fetch_model(store.folder, "people")
    assert "nothing to fetch" in capsys.readouterr().out
    assert models_cli.verify_models(store.folder, None)
    assert models_cli.verify_models(store.folder, "People")
    assert capsys.readouterr().out == "people: sound\n" * 2
    model.write_bytes(model.read_bytes() + b"x")
    assert not models_cli.verify_models(store.folder, None)
    assert "people: the built-in model people is damaged" in capsys.readouterr().out
    with pytest.raises(ModelError, match="light-person is not installed"):
        models_cli.verify_models(store.folder, "light-person")


def test_a_damaged_installed_model_is_found(
    tmp_path: Path, folder: Path, store: ModelStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """A byte that changed after it was installed; the others are looked at all the same."""
    ship(folder)
    own = tmp_path / "own.onnx"
    own.write_bytes(convolving((8, 16, 32), 6, squashed_from=4).SerializeToString())
    path = add(store, own).path
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert not models_cli.verify_models(store.folder, None)
    said = capsys.readouterr().out
    assert "people: sound" in said
    assert "own.onnx is not what was installed: its SHA-256 is" in said
    assert models_cli.verify_models(store.folder, "people")


def test_a_card_beside_a_model_of_ones_own_comes_along(
    tmp_path: Path, folder: Path, store: ModelStore
) -> None:
    """With or without front matter; what is not text is no card."""
    own = tmp_path / "own.onnx"
    own.write_bytes(convolving((8, 16, 32), 6, squashed_from=4).SerializeToString())
    own.with_suffix(".md").write_text("Sees people in our hall.\n")
    model = add(store, own)
    assert models.card(model) == "Sees people in our hall."
    model.path.with_suffix(".md").write_bytes(b"\xff\xfe")
    assert models.card(model) == ""
    with pytest.raises(ModelError, match="is not UTF-8"):
        described(model.path)
    model.path.with_suffix(".md").write_bytes(b"a" * (300 << 10))
    assert card_text(model.path) == ""


def test_a_worker_says_which_model_it_runs(tmp_path: Path, folder: Path) -> None:
    """Health gets its title, licence, hash and card, once for all detectors that use it."""
    ship(folder)
    wanted = tuple(DetectorSpec(id=name, driver="onnx") for name in ("hall", "yard"))
    guess = DetectorSpec(id="guess", driver="motion")
    spec = WorkerSpec(
        name="one", detectors=(*wanted, guess), state=tmp_path, config_folder=tmp_path,
        activity=tmp_path / "activity",
    )  # fmt: skip
    detectors = Detectors(spec, FakeClock())
    try:
        (view,) = models_in_use(tmp_path / "models", detectors.report())
    finally:
        for held in detectors.exchange({}):
            held.inference.close()
    assert view["title"] == "People, seen by a fixed camera"
    assert (view["name"], view["licence"], view["shipped"]) == ("people", "Apache-2.0", True)
    assert view["detectors"] == ["hall", "yard"]
    assert view["card"].startswith("# People")
    assert len(view["sha256"]) == 64


# ------------------------------------------------------------------ what really ships


def test_what_ships_is_what_its_card_says() -> None:
    """Every file in the folder has a card with its hash and size, and is at most a megabyte."""
    for model in sorted(models.SHIPPED.glob("*.onnx")):
        said = described(model)
        content = model.read_bytes()
        assert hashlib.sha256(content).hexdigest() == said.sha256, model.name
        assert len(content) == said.bytes <= 1 << 20
        assert said.sha256 in card_text(model), "people see the hash, too"
