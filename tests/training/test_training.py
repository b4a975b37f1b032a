"""Training itself: the network, how cells are chosen, a short run from pictures to a model file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _needs_torch() -> None:
    pytest.importorskip("torch", reason="needs the dependency group training")


def test_rows_are_as_many_as_cells_and_boxes_come_back() -> None:
    """What the loss takes for a box is what a reader of YOLOX takes for it."""
    import torch

    from plugins.detectors._yolox import STRIDES, grids
    from training.network import Network, boxes_of, cells

    rows = Network().eval()(torch.zeros(1, 1, 96, 160))
    places, steps = cells(96, 160)
    assert rows.shape == (1, len(places), 5)
    grid, stride = grids((96, 160), STRIDES)
    assert np.array_equal(grid, places.numpy())
    assert np.array_equal(stride, steps.numpy())
    row = torch.tensor([0.5, 0.5, 0.0, 0.0, 0.0]).expand(1, len(places), 5)
    box = boxes_of(row, 96, 160)[0, 0]
    assert box.tolist() == [0.0, 0.0, 8.0, 8.0]


def test_cells_answer_only_for_whom_they_fit() -> None:
    """Nobody's cells wish nothing; a small person is left to the fine cells."""
    import torch

    from training.losses import losses
    from training.network import Network, cells

    size = 192
    rows = Network()(torch.rand(2, 1, size, size) * 255)
    people = torch.tensor([[[20.0, 20.0, 32.0, 44.0]], [[0.0, 0.0, 0.0, 0.0]]])
    there = torch.tensor([[True], [False]])
    doubt = torch.zeros(2, len(cells(size, size)[0]), dtype=torch.bool)
    found = losses(rows, people, there, doubt, size)
    assert float(found.boxes) > 0
    found.total.backward()
    nobody = losses(rows.detach(), people, there & False, ~doubt, size)
    assert float(nobody.total) == 0.0


def test_the_file_says_what_the_network_says(tmp_path: Path) -> None:
    """Folded, halved and exported it gives the same rows, at sizes it was not exported with."""
    import onnxruntime
    import torch

    from training.export import exported
    from training.network import Network

    torch.manual_seed(3)
    network = Network().train()
    network(torch.rand(8, 1, 96, 96) * 255)
    network.eval()
    data = exported(network, {"names": "person", "licence": "none", "sizes": "192"})
    assert len(data) <= 1 << 20
    session = onnxruntime.InferenceSession(data)
    assert session.get_modelmeta().custom_metadata_map["names"] == "person"
    luma = np.random.default_rng(1).uniform(0, 255, (1, 1, 128, 224)).astype(np.float32)
    (rows,) = session.run(None, {"luma": luma})
    with torch.inference_mode():
        expected = network(torch.from_numpy(luma)).numpy()
    assert rows.shape == (1, expected.shape[1], 6)
    assert np.abs(rows[..., :4] - expected[..., :4]).max() < 0.02
    assert np.abs(rows[..., 4] - 1 / (1 + np.exp(-expected[..., 4]))).max() < 0.005
    assert (rows[..., 5] == 1).all()


def test_the_finest_stage_stays_as_it_is_where_that_is_asked(tmp_path: Path) -> None:
    """Two steps change the later stages alone, and the log has a line of the kept weights."""
    import torch
    from rich.progress import Progress

    from training import pictures, sprites
    from training.evaluate import samples
    from training.network import Network
    from training.prepare import Material
    from training.train import Plan, Trainer

    frames = list(pictures.school(4, 3))
    drawn, cars = list(sprites.drawn(2, 3)), list(sprites.cars(1, 3))
    places = [pictures.without_people(frame) for frame in frames]
    bare = [pictures.Known(p.name, p.scene, p.tier, p.luma, p.boxes, p.boxes) for p in places]
    material = Material([*frames, *bare], [*frames, *bare], drawn, drawn, cars)
    torch.manual_seed(1)
    network = Network()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    plan = Plan(steps=2, minutes=5, batch=2, rate=1e-2, seed=1, workers=0, small=1.0, frozen=True)
    with Progress(disable=True) as progress:
        Trainer(network, plan).run(material, samples(frames), tmp_path / "log.jsonl", progress)
    changed = {name.split(".")[0] for name, value in network.state_dict().items()
               if not torch.equal(value, before[name])}  # fmt: skip
    assert changed == {"sixteenth", "coarse", "across", "smooth", "head"}
    (line,) = (tmp_path / "log.jsonl").read_text().splitlines()
    assert json.loads(line)["step"] == 2
    kept = torch.load(tmp_path / "log.pt", weights_only=True)
    assert torch.equal(kept["eighth.0.0.weight"], before["eighth.0.0.weight"])


def test_norms_taken_anew_are_those_of_many_samples_and_no_weight_moves() -> None:
    """Whatever the norms remembered, they end as what the weights give for new samples."""
    import torch
    from rich.progress import Progress

    from training import pictures, sprites
    from training.network import Network
    from training.norms import renew
    from training.prepare import Material

    frames = list(pictures.school(4, 3))
    drawn, cars = list(sprites.drawn(2, 3)), list(sprites.cars(1, 3))
    bare = [pictures.without_people(frame) for frame in frames]
    material = Material([*frames, *bare], [*frames, *bare], drawn, drawn, cars)
    torch.manual_seed(1)
    network = Network().eval()
    weights = {name: value.clone() for name, value in network.named_parameters()}
    found = []
    for spoilt in (0.0, 50.0):
        for norm in (each for each in network.modules() if isinstance(each, torch.nn.BatchNorm2d)):
            norm.running_mean += spoilt
        with Progress(disable=True) as progress:
            renew(network, material, progress, batches=2)
        assert not network.training
        found.append({name: value.clone() for name, value in network.named_buffers()})
    assert all(torch.equal(value, weights[name]) for name, value in network.named_parameters())
    assert all(torch.equal(value, found[1][name]) for name, value in found[0].items())
    assert network.eighth[0][1].momentum == 0.1


@pytest.mark.material
def test_ten_minutes_of_training_lead_from_pictures_to_a_model_that_finds_people(
    material: Path, tmp_path: Path
) -> None:
    """The whole way from pictures to a model file that finds people; far from what hours give."""
    subprocess.run(
        [sys.executable, "-m", "training.train", str(material / "training"), "--out",
         str(tmp_path), "--cache", str(tmp_path / "cache"), "--minutes", "10", "--share", "0.2"],
        check=True, cwd=ROOT, timeout=2400,
    )  # fmt: skip
    rows = [json.loads(line) for line in (tmp_path / "people.jsonl").read_text().splitlines()]
    assert rows[-1]["average_precision"] > 0.2
    subprocess.run(
        [sys.executable, "-m", "training.export", str(tmp_path / "people.pt"), "--out",
         str(tmp_path / "people.onnx")],
        check=True, cwd=ROOT, timeout=300,
    )  # fmt: skip
    assert (tmp_path / "people.onnx").stat().st_size <= 1 << 20
