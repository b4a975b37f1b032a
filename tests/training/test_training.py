"""Training itself: the network, how cells are chosen, a short run from pictures to a model file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from training.prepare import Material

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _needs_torch() -> None:
    pytest.importorskip("torch", reason="needs the dependency group training")


def drawn_material() -> Material:
    """A little of everything, all of it drawn."""
    from training import pictures, sprites
    from training.animals import animals
    from training.prepare import Material

    frames = list(pictures.school(4, 3))
    drawn, cars = list(sprites.drawn(2, 3)), list(sprites.cars(1, 3))
    bare = [pictures.without_people(frame) for frame in frames]
    places = [*frames, *bare]
    return Material(places, places, drawn, drawn, cars, list(animals(2, 3)), [])


def test_rows_are_as_many_as_cells_and_boxes_come_back() -> None:
    """What the loss takes for a box is what a reader of YOLOX takes for it."""
    import torch

    from plugins.detectors._yolox import STRIDES, grids
    from training.network import Network, boxes_of, cells

    rows = Network().eval()(torch.zeros(1, 1, 96, 160))
    places, steps = cells(96, 160)
    assert rows.shape == (1, len(places), 6)
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


def test_every_stage_learns_and_the_log_tells_how_far(tmp_path: Path) -> None:
    """After two steps all stages have changed; the log has a line of the weights that are kept."""
    import torch
    from rich.progress import Progress

    from training import pictures
    from training.evaluate import samples
    from training.network import Network
    from training.train import Plan, Trainer

    material, shown = drawn_material(), samples(list(pictures.school(4, 3)))
    torch.manual_seed(1)
    network = Network()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    plan = Plan(steps=2, minutes=5, batch=2, rate=1e-2, seed=1, workers=0, small=1.0)
    with Progress(disable=True) as progress:
        Trainer(network, plan).run(material, shown, tmp_path / "log.jsonl", progress)
    changed = {name.split(".")[0] for name, value in network.state_dict().items()
               if not torch.equal(value, before[name])}  # fmt: skip
    assert changed == {"eighth", "sixteenth", "coarse", "across", "smooth", "head"}
    (line,) = (tmp_path / "log.jsonl").read_text().splitlines()
    assert json.loads(line)["step"] == 2
    kept = torch.load(tmp_path / "log.pt", weights_only=True)
    assert kept.keys() == before.keys()


def test_norms_taken_anew_are_those_of_many_samples_and_no_weight_moves() -> None:
    """Whatever the norms remembered, they end as what the weights give for new samples."""
    import torch
    from rich.progress import Progress

    from training.network import Network
    from training.norms import renew

    material = drawn_material()
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


def test_the_same_pictures_seed_and_threads_train_the_same_weights(tmp_path: Path) -> None:
    """To the last bit on one machine, where the number of steps is given and not the time."""
    import torch
    from rich.progress import Progress

    from training import pictures
    from training.evaluate import samples
    from training.network import Network
    from training.train import Plan, Trainer

    material, shown = drawn_material(), samples(list(pictures.school(2, 5)))
    plan = Plan(steps=6, minutes=600, batch=4, rate=2e-3, seed=1, workers=1, small=0.5)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    kept = []
    for name in ("one", "two"):
        torch.manual_seed(plan.seed)
        with Progress(disable=True) as progress:
            trainer = Trainer(Network(), plan)
            trainer.run(material, shown, tmp_path / f"{name}.jsonl", progress)
        kept.append(trainer.averaged.state_dict())
    torch.set_num_threads(threads)
    assert all(torch.equal(value, kept[1][name]) for name, value in kept[0].items())


def test_a_file_that_ships_can_be_trained_on_from() -> None:
    """Unfolded it gives the rows that the file gives, and its norms are those of real samples."""
    import onnxruntime
    import torch

    from training.export import exported
    from training.network import Network
    from training.unfold import unfolded

    torch.manual_seed(3)
    network = Network().train()
    for _ in range(5):
        network(torch.rand(8, 1, 96, 96) * 255)
    for head in network.head:  # untrained ones are alike, and would be stored as one
        torch.nn.init.normal_(head.bias)
    data = exported(network.eval(), {"names": "person"})
    again = unfolded(data, drawn_material(), batches=2)
    luma = np.random.default_rng(1).uniform(0, 255, (1, 1, 128, 224)).astype(np.float32)
    (rows,) = onnxruntime.InferenceSession(data).run(None, {"luma": luma})
    with torch.inference_mode():
        found = again(torch.from_numpy(luma)).numpy()
    assert np.abs(rows[..., :4] - found[..., :4]).max() < 1e-3
    assert np.abs(rows[..., 4] - 1 / (1 + np.exp(-found[..., 4]))).max() < 1e-4
    norms = [each for each in again.modules() if isinstance(each, torch.nn.BatchNorm2d)]
    assert all(norm.momentum == 0.1 and (norm.running_var > 0).all() for norm in norms)
    assert sum(float(norm.running_mean.abs().sum()) for norm in norms) > 1.0


def test_a_file_of_another_network_is_not_unfolded() -> None:
    """The names that differ are told."""
    from onnx import TensorProto, helper, numpy_helper

    from training.unfold import unfolded

    luma = helper.make_tensor_value_info("luma", TensorProto.FLOAT, [1])
    extra = numpy_helper.from_array(np.zeros(1, np.float32), "network.other.weight")
    graph = helper.make_graph([helper.make_node("Identity", ["luma"], ["out"])], "g", [luma],
                              [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1])],
                              [extra])  # fmt: skip
    with pytest.raises(ValueError, match="another network: across"):
        unfolded(helper.make_model(graph).SerializeToString(), drawn_material(), batches=1)


def test_a_teacher_is_held_to_except_where_it_is_mistaken() -> None:
    """Its own rows lose nothing, others do; a claim on nobody may be forgotten."""
    import torch

    from training.losses import forgotten
    from training.network import cells

    size = 96
    count = len(cells(size, size)[0])
    people = torch.tensor([[[0.0, 0.0, 24.0, 48.0]]])
    there, doubt = torch.tensor([[True]]), torch.zeros(1, count, dtype=torch.bool)
    none, here = torch.zeros(1, 1, 4), torch.tensor([[[2.0, 2.0, 20.0, 20.0]]])
    taught = torch.full((1, count, 5), -6.0)
    taught[0, [0, count - 1], 4] = 2.0  # one on somebody, one in the opposite corner
    assert float(forgotten(taught, taught, people, there, doubt, none, size)) < 1e-3
    for cell, forgets in ((0, True), (count - 1, False)):
        rows = taught.clone()
        rows[0, cell, 4] = -6.0
        lost = float(forgotten(rows, taught, people, there, doubt, none, size))
        assert (lost > 1) == forgets
        near = float(forgotten(rows, taught, people, there, doubt, here, size))
        assert near < 1
    assert float(forgotten(rows, taught, people, there, ~doubt, none, size)) > 1


def test_norms_stay_still_and_a_teacher_is_held_to_where_no_animal_is(tmp_path: Path) -> None:
    """Weights move, what the norms remember does not, nor does the teacher; the log tells of it."""
    import torch
    from rich.progress import Progress

    from training import pictures
    from training.evaluate import samples
    from training.network import Network
    from training.train import Plan, Trainer, batch_of

    material, shown = drawn_material(), samples(list(pictures.school(2, 5)))
    torch.manual_seed(1)
    network, teacher = Network().eval(), Network().eval()
    for head in teacher.head:
        torch.nn.init.constant_(head.bias, -3.0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    taught = {name: value.clone() for name, value in teacher.state_dict().items()}
    plan = Plan(steps=2, minutes=5, batch=4, rate=1e-2, seed=1, workers=0, small=1.0, still=True)
    with Progress(disable=True) as progress:
        trainer = Trainer(network, plan, teacher)
        trainer.run(material, shown, tmp_path / "log.jsonl", progress)
    moved = {name for name, value in network.state_dict().items()
             if not torch.equal(value, before[name])}  # fmt: skip
    assert "eighth.0.0.weight" in moved
    assert not any("running" in name for name in moved)
    assert all(torch.equal(value, taught[name]) for name, value in teacher.state_dict().items())
    (line,) = (tmp_path / "log.jsonl").read_text().splitlines()
    assert json.loads(line)["forgotten"] > 0
    everywhere = np.array([[0, 0, 192, 192]], np.float32)
    for animals in (everywhere[:0], everywhere):
        batch = batch_of([shown[0]._replace(animals=animals)], 192)
        assert (trainer._learn(*batch)[3] > 0) != bool(len(animals))


def test_scores_are_moved_to_where_they_are_right_often_enough() -> None:
    """The finds stay the same ones, and are 85 % right from the score that is wanted."""
    import torch

    from training.calibrate import PERSON, WANTED, calibrated
    from training.compose import Sample
    from training.evaluate import evaluate
    from training.find import find
    from training.network import Network, cells

    size, people = 96, np.array([[30, 20, 60, 90]], np.float32)
    rows = torch.full((1, len(cells(size, size)[0]), 6), -9.0)

    class Sure(Network):
        """Claims the one who is there, and nobody else."""

        def forward(self, luma: torch.Tensor) -> torch.Tensor:
            out = rows.expand(len(luma), -1, -1).clone()
            at = (55 // 8) * (size // 8) + 45 // 8
            wide, tall = (people[0, 2:] - people[0, :2]) / 8
            x, y = (people[0, :2] + people[0, 2:]) / 16
            out[:, at, :4] = torch.tensor([x % 1, y % 1, np.log(wide), np.log(tall)])
            bias = self.head[0].bias
            assert isinstance(bias, torch.Tensor)
            out[:, at, PERSON] = bias[PERSON]
            return out

    network = Sure().eval()
    with torch.no_grad():
        network.head[0].bias[PERSON] = 1.5  # type: ignore[index,union-attr]
    shown = [Sample(np.zeros((size, size), np.uint8), people, people[:0])] * 3
    moved = calibrated(network, shown)
    assert moved < -1.5
    found = evaluate(find(network, [each.luma for each in shown]), shown)
    assert found.recall == 1.0
    assert found.score == pytest.approx(WANTED, abs=0.01)


def test_who_is_nowhere_right_is_not_moved() -> None:
    """Weights that find nobody have no score to go by, and stay as they are."""
    from training.calibrate import calibrated
    from training.compose import Sample
    from training.network import Network

    network, nobody = Network().eval(), np.zeros((0, 4), np.float32)
    before = [head.bias.clone() for head in network.head]
    somebody = np.array([[10, 10, 40, 80]], np.float32)
    shown = [Sample(np.zeros((96, 96), np.uint8), somebody, nobody)]
    with pytest.raises(ValueError, match="no score to go by"):
        calibrated(network, shown)
    assert all(head.bias.equal(was) for head, was in zip(network.head, before, strict=True))


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
