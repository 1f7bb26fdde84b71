"""A network that torch compiles is the same network."""

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from pathlib import Path

import pytest
import torch

from refseg.models.backbones import SmallBackbone
from refseg.models.decoders import BilinearDecoder
from refseg.models.fusion import ConcatFusion
from refseg.models.segmenter import Segmenter
from refseg.models.text_encoders import LSTMEncoder
from refseg.types import Batch


def network() -> Segmenter:
    torch.manual_seed(0)
    return Segmenter(
        partial(SmallBackbone, width=8, image_dim=12, colour_dim=4),
        partial(LSTMEncoder, embedding_dim=8, hidden_dim=6),
        partial(ConcatFusion, hidden_dim=6),
        BilinearDecoder,
        50,
    )


def test_weights_keep_their_names_and_copies_are_not_compiled(
    make_batch: Callable[..., Batch],
) -> None:
    compiled, plain = network(), network()
    compiled.compile()  # which happens at the first batch
    assert compiled.is_compiled
    assert [*compiled.state_dict()] == [*plain.state_dict()]
    batch = make_batch()
    expected = plain.eval()(batch).logits
    for copied in (deepcopy(compiled), pickle.loads(pickle.dumps(compiled))):
        assert not copied.is_compiled
        for parameter in compiled.parameters():
            torch.nn.init.zeros_(parameter)  # the copy has weights of its own
        assert copied.eval()(batch).logits.equal(expected)
        compiled.load_state_dict(plain.state_dict())


@pytest.mark.slow
def test_batches_of_all_shapes_are_compiled_a_few_times() -> None:
    """Once for the first shape, a few times for others; evaluation one by one is one shape more."""
    script = Path(__file__).with_name("compiled.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name, (counts, error) in json.loads(done.stdout.splitlines()[-1]).items():
        assert error == 0, name
        assert 0 < counts[-1] <= 20, f"{name}: {counts}"
        assert counts[-8] == counts[-1], f"{name} is compiled for new shapes: {counts}"
