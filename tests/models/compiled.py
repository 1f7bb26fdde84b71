"""How often torch compiles a network for batches of all shapes: run by `test_compilation.py`.

In a process of its own, since the checks of shapes that tests install cannot be compiled. By the
backend `eager`, which runs what was captured as it is: so results are the same to the last bit.
"""

import json
import random
from copy import deepcopy
from functools import partial

import torch
from torch._dynamo.utils import counters

from refseg.geometry import Geometry
from refseg.models.backbones import SmallBackbone
from refseg.models.decoders import BilinearDecoder, MaskEmbeddingDecoder
from refseg.models.fusion import ConcatFusion, LanguageAwareFusion, MultimodalLSTM
from refseg.models.segmenter import Segmenter
from refseg.models.text_encoders import LSTMEncoder
from refseg.types import Batch

SIZE = 32
BACKBONE = partial(SmallBackbone, width=8, image_dim=12, colour_dim=4)
TEXT = partial(LSTMEncoder, embedding_dim=8, hidden_dim=6)
NETWORKS = {
    "late": (partial(ConcatFusion, hidden_dim=6), BilinearDecoder),
    "early": (partial(LanguageAwareFusion, stages=[1, 2], heads=2), BilinearDecoder),
    "word by word": (
        partial(MultimodalLSTM, hidden_dim=6),
        partial(MaskEmbeddingDecoder, hidden_dim=8),
    ),
}


def random_batch(images: int, expressions: int, words: int) -> Batch:
    """Of any contents; the first sentence is the longest."""
    lengths = torch.tensor([words, *(random.randint(1, words) for _ in range(expressions - 1))])
    token_mask = torch.arange(words) < lengths[:, None]
    return Batch(
        images=torch.randint(0, 256, (images, 3, SIZE, SIZE), dtype=torch.uint8),
        tokens=torch.randint(2, 50, token_mask.shape) * token_mask,
        token_mask=token_mask,
        image_index=torch.tensor([random.randrange(images) for _ in range(expressions)]),
        masks=None,
        expressions=tuple(str(random.random()) for _ in range(expressions)),
        expression_ids=tuple(range(expressions)),
        truths=(),
        geometries=tuple(
            Geometry.letterbox(random.randint(9, 99), 50, SIZE) for _ in range(images)
        ),
        image_paths=("",) * images,
    )


def graphs_and_error(name: str) -> tuple[list[int], float]:
    """Graphs after each of 24 batches, and the largest difference to the network as it is."""
    torch.manual_seed(0)
    random.seed(0)
    torch._dynamo.reset()
    counters.clear()
    fusion, decoder = NETWORKS[name]
    network = Segmenter(BACKBONE, TEXT, fusion, decoder, 50)
    plain = deepcopy(network)
    network.compile(backend="eager")
    counts, error = [], 0.0
    for step in range(24):
        trains = step < 8
        shape = random.randint(1, 4), random.randint(1, 12), random.randint(1, 20)
        batch = random_batch(*shape)
        answers = []
        for each in (network.train(trains), plain.train(trains)):
            if trains:
                answers.append(each(batch).segmentation())
                answers[-1].square().mean().backward()
            else:
                with torch.inference_mode():
                    answers.append(each.one_by_one(batch).segmentation())
        error = max(error, (answers[0] - answers[1]).abs().max().item())
        for ours, theirs in zip(network.parameters(), plain.parameters(), strict=True):
            if theirs.grad is not None and ours.grad is not None:
                error = max(error, (ours.grad - theirs.grad).abs().max().item())
        counts.append(int(counters["stats"]["unique_graphs"]))
    return counts, error


if __name__ == "__main__":
    print(json.dumps({name: graphs_and_error(name) for name in NETWORKS}))
