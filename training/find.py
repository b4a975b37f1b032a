"""From the network's rows to boxes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from training.network import Network, boxes_of

LEAST, SAME, MOST = 0.05, 0.5, 100
TOGETHER = 50


def find(
    network: Network, pictures: Sequence[NDArray[np.uint8]]
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Boxes (n, 4) in pixels and scores (n,) of pictures of one size, in multiples of 32."""
    for start in range(0, len(pictures), TOGETHER):
        luma = np.stack(pictures[start : start + TOGETHER])
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            rows = network(torch.from_numpy(luma)[:, None].float()).float()
        boxes = boxes_of(rows, *luma.shape[1:]).numpy()
        scores = rows[..., 4].sigmoid().numpy()
        yield from map(_distinct, boxes, scores)


def _distinct(
    boxes: NDArray[np.float32], scores: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    likely = np.nonzero(scores >= LEAST)[0]
    boxes, scores = boxes[likely], scores[likely]
    flat = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1)
    kept = cv2.dnn.NMSBoxes(flat.tolist(), scores.tolist(), LEAST, SAME, top_k=MOST)
    kept = np.asarray(kept, np.intp).ravel()
    return boxes[kept].astype(np.float32), scores[kept].astype(np.float32)
