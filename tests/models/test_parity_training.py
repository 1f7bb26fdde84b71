"""Losses, gradients and steps of training, against the original's training graphs and scripts.

Where torch's optimisers differ from TensorFlow's:

* Adam adds epsilon to the corrected second moment, TensorFlow 1 to the raw one. Torch with
  `eps / sqrt(1 - beta2^t)` in step t is TensorFlow's (weights after 8 steps: within 2e-5). With a
  constant epsilon, the few weights whose gradients are about as small as it differ: one in a
  thousand by more than 1e-4, none by more than 3e-3.
* The gradient of an embedding is sparse in TensorFlow. Its Adam treats it as dense. Its momentum
  leaves rows alone, weight and velocity, that a batch does not have; torch's goes on with them
  (after 6 steps: weights within 1e-3). TensorFlow 0.12 makes one whole step per occurrence of a
  word (within 2e-2).
* Gradients of convolutions' biases are doubled in RMI, which Adam hardly notices.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from refseg.losses import WeightedLogisticLoss, any_foreground, subsampled
from refseg.models.decoders import DeconvolutionDecoder
from refseg.models.original.kinds import Kind, translate
from refseg.models.original.pretrained import from_original
from refseg.models.segmenter import Segmenter
from refseg.training.schedules import Polynomial

from ..parity import Facts, read, under, unpacked_flat
from .test_parity import channels_first, padded

DECAY = 0.0005
EMBEDDING = "text_encoder.embedding.weight"


def ours(kind: Kind, variables: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Values of the original's variables by the names of our parameters."""
    return translate(kind, variables).state


def gradients_by_our_names(kind: Kind, gradients: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """As `ours`, without the 1 that is added to the bias of forget gates."""
    zeros = ours(kind, {name: torch.zeros_like(value) for name, value in gradients.items()})
    return {name: value - zeros[name] for name, value in ours(kind, gradients).items()}


def check_gradients(segmenter: Segmenter, expected: Mapping[str, Tensor]) -> None:
    for name, parameter in segmenter.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            difference = (parameter.grad - expected[name]).norm()
            assert difference <= 1e-4 * expected[name].norm(), name


def largest_difference(segmenter: Segmenter, expected: Mapping[str, Tensor]) -> float:
    return max(
        (weight - expected[name]).abs().max().item()
        for name, weight in segmenter.state_dict().items()
    )


def decayed_parts(kind: Kind, facts: Facts, variables: Mapping[str, Tensor]) -> set[str]:
    """Our parameters that variables with weight decay were split into."""
    marked = {n: torch.full_like(v, n in facts["reg_vars"]) for n, v in variables.items()}
    state = gradients_by_our_names(kind, marked)
    return {name for name, value in state.items() if value.any()}


def add_decay(segmenter: Segmenter, decayed: set[str]) -> Tensor:
    """Add the gradient of the decay to the gradients, and return its loss."""
    loss = torch.zeros((), dtype=torch.float64)
    for name, parameter in segmenter.named_parameters():
        if name in decayed:
            assert parameter.grad is not None
            parameter.grad += DECAY * parameter.detach()
            loss += DECAY * parameter.detach().double().square().sum() / 2
    return loss.float()


RMI_TRAININGS: list[tuple[str, Literal["rmi", "rmi_lstm"]]] = [
    ("rmi_train_resnet_square", "rmi"),
    ("rmi_train_deeplab_rect", "rmi"),
    ("lstm_train_resnet_square", "rmi_lstm"),
]


@pytest.mark.parametrize(("name", "kind"), RMI_TRAININGS)
@pytest.mark.parametrize("epsilon", ["tensorflow", "torch"])
def test_eight_steps_of_rmi(
    shared: Path, name: str, kind: Literal["rmi", "rmi_lstm"], epsilon: str
) -> None:
    fixture, facts = read(shared / "parity" / f"{name}.npz")
    variables = under(fixture, "w/")
    segmenter = from_original(kind, variables)
    decayed = decayed_parts(kind, facts, variables)
    doubled = ("decoder.classifier.bias", "fusion.visual.projection.bias")
    if kind == "rmi_lstm":
        doubled = (*doubled, "fusion.visual.image.bias")
    trained = [p for p in segmenter.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=0.005)
    schedule = Polynomial(optimizer, power=0.9, final=1e-5 / 0.005)
    schedule.total_steps = facts["ctor"]["lr_decay_step"]
    masks = unpacked_flat(fixture["in/mask_packed"], fixture["in/mask_shape"].tolist())[..., 0]
    targets = subsampled(masks, 8)
    for step in range(8):
        lr = optimizer.param_groups[0]["lr"]
        assert_close(lr, fixture["out/lr"][step].item(), rtol=1e-6, atol=0)
        tokens, token_mask = padded(fixture["in/words"][[step]], "right")
        features = channels_first(fixture["in/feat"][[step]])
        logits = segmenter.from_features(features, tokens, token_mask, torch.tensor([0]))
        loss = WeightedLogisticLoss(reduction="sum").of_masks(logits, targets[[step]])
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            assert_close(logits.detach(), fixture["out/pred"][[0], ..., 0], rtol=0, atol=1e-5)
            check_gradients(segmenter, gradients_by_our_names(kind, under(fixture, "grad_cls/")))
        regularization = add_decay(segmenter, decayed)
        if step == 0:
            check_gradients(segmenter, gradients_by_our_names(kind, under(fixture, "grad_cost/")))
        loose = 1e-3 if epsilon == "torch" else 1e-5
        assert_close(loss.detach(), fixture["out/cls_loss"][step], rtol=loose, atol=0)
        assert_close(regularization, fixture["out/reg_loss"][step], rtol=loose, atol=0)
        cost = loss.detach() + regularization
        assert_close(cost, fixture["out/cost"][step], rtol=loose, atol=0)
        for parameter_name, parameter in segmenter.named_parameters():
            if parameter_name in doubled:
                assert parameter.grad is not None
                parameter.grad *= 2
        if epsilon == "tensorflow":
            optimizer.param_groups[0]["eps"] = 1e-8 / (1 - 0.999 ** (step + 1)) ** 0.5
        optimizer.step()
        schedule.step()
    assert fixture["out/global_step_final"] == 8
    expected = ours(kind, under(fixture, "w_final/"))
    assert largest_difference(segmenter, expected) <= (2e-5 if epsilon == "tensorflow" else 3e-3)
    different = [
        (w - expected[n]).abs().flatten() > 1e-4 for n, w in segmenter.state_dict().items()
    ]
    assert torch.cat(different).double().mean() <= (0 if epsilon == "tensorflow" else 1e-3)
    assert largest_difference(segmenter, ours(kind, variables)) > 0.02  # it has moved


def test_learning_rate_of_rmi(shared: Path) -> None:
    fixture, facts = read(shared / "parity" / "rmi_lr_schedule.npz")
    start, end = facts["start_lr"], facts["end"]
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=start)
    schedule = Polynomial(
        optimizer, power=facts["power"], final=end / start, steps=facts["lr_decay_step"]
    )
    for step, expected in zip(fixture["steps"].tolist(), fixture["lr"].tolist(), strict=True):
        schedule.last_epoch = step
        assert_close(schedule.get_lr()[0], expected, rtol=1e-5, atol=0)


def keep_absent_rows(
    embedding: torch.nn.Parameter, optimizer: torch.optim.SGD, tokens: Tensor
) -> Callable[[], None]:
    """Undo what torch's step does to rows of an embedding that the batch does not have."""
    absent = torch.ones(len(embedding), dtype=torch.bool)
    absent[tokens.unique()] = False
    before = embedding.detach()[absent].clone()
    velocity = optimizer.state[embedding].get("momentum_buffer")
    velocity = torch.zeros_like(embedding) if velocity is None else velocity.clone()

    @torch.no_grad()
    def undo() -> None:
        embedding[absent] = before
        optimizer.state[embedding]["momentum_buffer"][absent] = velocity[absent]

    return undo


class OneStepPerOccurrence:
    """Momentum over the rows of an embedding as TensorFlow 0.12 takes it."""

    def __init__(self, embedding: torch.nn.Parameter) -> None:
        self.embedding, self.velocity = embedding, torch.zeros_like(embedding)

    @torch.no_grad()
    def step(self, words: Tensor, gradients: Tensor, lr: float) -> None:
        """One step per place, the first words of all sentences first."""
        ordered = gradients.transpose(0, 1).flatten(0, 1)
        for word, gradient in zip(words.T.flatten(), ordered, strict=True):
            self.velocity[word] = 0.9 * self.velocity[word] + gradient
            self.embedding[word] -= lr * self.velocity[word]


HU_TRAININGS = ["hu_train_lowres", "hu_train_highres", "hu_train_lowres_tf012"]


@pytest.mark.parametrize("name", HU_TRAININGS)
@pytest.mark.parametrize("rows", ["tensorflow", "torch"])
def test_six_steps_of_lstm_cnn(shared: Path, name: str, rows: str) -> None:
    fixture, facts = read(shared / "parity" / f"{name}.npz")
    variables = under(fixture, "w/")
    segmenter = from_original("lstm_cnn", variables)
    decoder, embedding = segmenter.decoder, segmenter.text_encoder.embedding.weight
    assert isinstance(decoder, DeconvolutionDecoder)
    high_resolution, old = "highres" in name, "tf012" in name
    decoder.upsampling.requires_grad_(high_resolution)
    decayed = decayed_parts("lstm_cnn", facts, variables)
    gradients = {
        kind: gradients_by_our_names("lstm_cnn", under(fixture, f"grad_{kind}/"))
        for kind in ("cls", "total")
    }
    trained = [p for p in segmenter.parameters() if p.requires_grad]
    by_hand = OneStepPerOccurrence(embedding)
    if old and rows == "tensorflow":
        trained = [p for p in trained if p is not embedding]
    optimizer = torch.optim.SGD(trained, lr=facts["lr"]["start"], momentum=facts["momentum"])
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, facts["lr"]["step"], facts["lr"]["rate"])
    masks = unpacked_flat(fixture["in/label_fine_packed"], fixture["in/label_fine_shape"].tolist())
    criterion = WeightedLogisticLoss(facts["pos_loss_mult"], facts["neg_loss_mult"])
    embedded: list[Tensor] = []
    segmenter.text_encoder.embedding.register_forward_hook(
        lambda _, __, vectors: embedded.append(vectors)
    )
    for step in range(6):
        lr = optimizer.param_groups[0]["lr"]
        assert_close(lr, fixture["out/lr"][step].item(), rtol=1e-6, atol=0)
        words = fixture["in/words_TN"][step].T.long().contiguous()
        features = segmenter.backbone.project(channels_first(fixture["in/fc7"][step]))
        scores = segmenter.from_features(features, words, words != 0, torch.arange(3))
        target = masks[step, ..., 0]
        if high_resolution:
            scores = decoder.upsample(scores)
            seen = scores[:, ::8, ::8].detach()
            expected = fixture["out/scores_every8th_pixel"][step, ..., 0]
        else:
            coarse = any_foreground(target, 32)
            assert torch.equal(coarse, fixture["in/label_coarse"][step, ..., 0] > 0)
            target, seen, expected = coarse, scores.detach(), fixture["out/scores"][step, ..., 0]
        loss = criterion.of_masks(scores, target)
        optimizer.zero_grad()
        embedding.grad = None
        embedded[-1].retain_grad()
        loss.backward()
        if step == 0:
            check_gradients(segmenter, gradients["cls"])
        regularization = add_decay(segmenter, decayed)
        if step == 0:
            check_gradients(segmenter, gradients["total"])
        exact = rows == "tensorflow"
        assert_close(seen, expected, rtol=0, atol=1e-5 if exact else 5e-2)
        loose = 1e-5 if exact else 1e-2
        assert_close(loss.detach(), fixture["out/cls_loss"][step], rtol=loose, atol=0)
        assert_close(regularization, fixture["out/reg_loss"][step], rtol=loose, atol=0)
        total = loss.detach() + regularization
        assert_close(total, fixture["out/total_loss"][step], rtol=loose, atol=0)
        if exact and old:
            optimizer.step()
            assert embedded[-1].grad is not None
            by_hand.step(words, embedded[-1].grad, lr)
        elif exact:
            undo = keep_absent_rows(embedding, optimizer, words)
            optimizer.step()
            undo()
        else:
            optimizer.step()
        schedule.step()
    final = ours("lstm_cnn", under(fixture, "w_final/"))
    bound = 1e-6 if rows == "tensorflow" else 2e-2 if old else 1e-3
    assert largest_difference(segmenter, final) <= bound
    if rows == "tensorflow":
        velocities = gradients_by_our_names("lstm_cnn", under(fixture, "momentum_final/"))
        for parameter_name, parameter in segmenter.named_parameters():
            if parameter in optimizer.state:
                velocity = optimizer.state[parameter]["momentum_buffer"]
                assert_close(velocity, velocities[parameter_name], rtol=1e-4, atol=1e-5)
        if old:
            assert_close(by_hand.velocity, velocities[EMBEDDING], rtol=1e-4, atol=1e-5)
