"""SAM's mask decoder, prompted with words, against the library's own model."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim
from torch.nn import functional
from torch.testing import assert_close

from refseg.errors import ConfigError
from refseg.models.decoders import SamDecoder
from refseg.models.weights.huggingface import Architecture
from refseg.types import TextFeatures

transformers = pytest.importorskip("transformers")
MakeText = Callable[..., TextFeatures]


@pytest.fixture
def folder(transformers_models: Path) -> str:
    return str(transformers_models / "sam")


def seen(expressions: int) -> torch.Tensor:
    return torch.randn(expressions, 16, 8, 8, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("words", [True, False])
def test_mask_is_that_of_the_model_for_the_same_prompt(
    folder: str, make_text: MakeText, words: bool
) -> None:
    """Of each expression by itself, as the library can prompt with no padding."""
    torch.manual_seed(0)
    decoder = SamDecoder((16,), 7, 5, folder, words=words).eval()
    model = transformers.SamModel.from_pretrained(folder).eval()
    text, maps = make_text((2, 4, 1)), seen(3)
    logits = decoder((maps,), text, (128, 128)).logits
    first, _, second = decoder.sentence
    for row, length in enumerate((2, 4, 1)):
        prompt = [second(first(text.sentence[[row]]).relu())]
        if decoder.word is not None:
            prompt += [decoder.word(text.words[row, :length])]
        low, _ = model.mask_decoder(
            image_embeddings=maps[[row]],
            image_positional_embeddings=model.get_image_wide_positional_embeddings(),
            sparse_prompt_embeddings=torch.cat(prompt)[None, None],
            dense_prompt_embeddings=model.prompt_encoder.no_mask_embed.weight[:, :, None, None],
            multimask_output=False,
        )
        expected = functional.interpolate(low[0], size=(128, 128), mode="bilinear")
        assert_close(logits[[row]], expected[0], rtol=1e-4, atol=1e-5)


def test_mask_of_sam2_is_that_of_the_model_for_the_same_prompt(
    transformers_models: Path, make_text: MakeText
) -> None:
    """It adds the finer maps on the way; it would choose among its masks, which is turned off."""
    torch.manual_seed(0)
    folder = str(transformers_models / "sam2")
    decoder = SamDecoder((2, 4, 16), 7, 5, folder).eval()
    model = transformers.Sam2Model.from_pretrained(folder).eval()
    model.mask_decoder.dynamic_multimask_via_stability = False
    text = make_text((2, 4, 1))
    maps = torch.randn(3, 2, 16, 16), torch.randn(3, 4, 8, 8), torch.randn(3, 16, 4, 4)
    logits = decoder(maps, text, (64, 64)).logits
    assert decoder.word is not None
    for row, length in enumerate((2, 4, 1)):
        prompt = [
            decoder.sentence(text.sentence[[row]].clone()),
            decoder.word(text.words[row, :length]),
        ]
        low, *_ = model.mask_decoder(
            image_embeddings=maps[2][[row]],
            image_positional_embeddings=model.get_image_wide_positional_embeddings(),
            sparse_prompt_embeddings=torch.cat(prompt)[None, None],
            dense_prompt_embeddings=model.prompt_encoder.no_mask_embed.weight[:, :, None, None],
            multimask_output=False,
            high_resolution_features=[maps[0][[row]], maps[1][[row]]],
        )
        expected = functional.interpolate(low[0], size=(64, 64), mode="bilinear")
        assert_close(logits[[row]], expected[0], rtol=1e-4, atol=1e-5)


def test_words_and_sentence_are_heard(folder: str, make_text: MakeText) -> None:
    torch.manual_seed(0)
    decoder, text, other = SamDecoder((16,), 7, 5, folder).eval(), make_text((3,)), make_text((3,))
    before = decoder((seen(1),), text, (32, 32)).logits
    other.words = other.words + torch.tensor([[[0.0], [0.0], [1.0]]])
    assert not torch.allclose(decoder((seen(1),), other, (32, 32)).logits, before)
    other.words, other.sentence = text.words, text.sentence + 1
    assert not torch.allclose(decoder((seen(1),), other, (32, 32)).logits, before)


def test_padding_changes_nothing(folder: str, make_text: MakeText) -> None:
    torch.manual_seed(0)
    decoder, text = SamDecoder((16,), 7, 5, folder).eval(), make_text((2, 4, 1))
    before = decoder((seen(3),), text, (32, 32)).logits
    text.words = functional.pad(text.words, (0, 0, 0, 5))
    text.token_mask = functional.pad(text.token_mask, (0, 5))
    text.words = text.words.masked_fill(~text.token_mask[:, :, None], torch.nan)
    assert_close(decoder((seen(3),), text, (32, 32)).logits, before)


def test_dense_prompt_is_added_to_the_map_of_the_image(folder: str, make_text: MakeText) -> None:
    """A fused map whose projection is nothing prompts like none."""
    torch.manual_seed(0)
    dense = SamDecoder((16, 6), 7, 5, folder, dense=True).eval()
    plain = SamDecoder((16,), 7, 5, folder).eval()
    plain.load_state_dict(dense.state_dict(), strict=False)
    text, fused = make_text((2, 4)), torch.randn(2, 6, 8, 8)
    assert dense.dense is not None
    projected = dense.dense(fused)
    expected = plain((seen(2) + projected,), text, (32, 32)).logits
    assert_close(dense((seen(2), fused), text, (32, 32)).logits, expected)
    coarse = functional.interpolate(dense.dense(fused[..., ::2, ::2]), (8, 8), mode="bilinear")
    expected = plain((seen(2) + coarse,), text, (32, 32)).logits
    assert_close(dense((seen(2), fused[..., ::2, ::2]), text, (32, 32)).logits, expected)


@pytest.mark.parametrize("frozen", [True, False])
def test_what_is_trained(folder: str, make_text: MakeText, frozen: bool) -> None:
    """The prompt always, SAM's decoder unless it is frozen, its prompt encoder never."""
    decoder = SamDecoder((16,), 7, 5, folder, frozen=frozen).train()
    decoder((seen(2),), make_text((2, 4)), (32, 32)).logits.square().mean().backward()
    reached = {name for name, p in decoder.named_parameters() if p.grad is not None}
    assert {"sentence.0.weight", "word.weight"} <= reached
    assert any(name.startswith("trunk.mask_decoder") for name in reached) != frozen
    assert not any(name.startswith("trunk.no_mask_embed") for name in reached)
    assert reached == {name for name, p in decoder.named_parameters() if p.requires_grad}


def test_positions_stay_exact_in_a_run_of_half_precision(folder: str) -> None:
    decoder = SamDecoder((16,), 7, 5, folder)
    before = decoder.trunk.shared_image_embedding(8, 8)
    decoder.to(torch.bfloat16)
    assert torch.equal(decoder.trunk.shared_image_embedding(8, 8), before)
    decoder.to(torch.float64)
    assert decoder.trunk.shared_image_embedding(8, 8).dtype == torch.float64


def test_checkpoint_needs_no_folder(folder: str, tmp_path: Path, make_text: MakeText) -> None:
    decoder = SamDecoder((16,), 7, 5, folder).eval()
    torch.save(decoder.portable_arguments(), tmp_path / "arguments.pt")
    portable = torch.load(tmp_path / "arguments.pt", weights_only=True)
    architecture = Architecture(portable["architecture"])
    again = SamDecoder((16,), 7, 5, "./gone", architecture=architecture).eval()
    again.load_state_dict(decoder.state_dict())
    one, other = (d((seen(1),), make_text((3,)), (32, 32)).logits for d in (decoder, again))
    assert torch.equal(one, other)


def test_full_size_has_the_published_number_of_weights() -> None:
    """Of the mask decoder, on the device that has no memory."""
    with torch.device("meta"):
        architecture = Architecture(model_type="sam_mask_decoder")  # all sizes are the default
        decoder = SamDecoder((256,), 768, 768, "none", architecture=architecture)
    assert sum(p.numel() for p in decoder.trunk.mask_decoder.parameters()) == 4_058_340


def test_bad_options_name_the_remedy(folder: str, transformers_models: Path) -> None:
    with pytest.raises(ConfigError, match="set for_dense_prompt of SamBackbone"):
        SamDecoder((16,), 7, 5, folder, dense=True)
    with pytest.raises(
        ConfigError, match=r"before the coarsest for the mask decoder of SAM 2, got"
    ):
        SamDecoder((16,), 7, 5, str(transformers_models / "sam2"))
    with pytest.raises(ConfigError, match=r"facebook/sam-vit-base or .* of the kind clip\."):
        SamDecoder((16,), 7, 5, str(transformers_models / "clip"))


def test_the_image_side_is_left_out_without_a_word(
    folder: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """The library reports what it does not load in as many lines as there are kinds of weights."""
    SamDecoder((16,), 7, 5, folder)
    assert "UNEXPECTED" not in caplog.text + "".join(capfd.readouterr())


class _Exported(nn.Module):
    """A decoder that is called with tensors alone."""

    def __init__(self, decoder: SamDecoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, seen: Tensor, words: Tensor, sentence: Tensor, token_mask: Tensor) -> Tensor:
        text = TextFeatures(words, sentence, token_mask)
        return self.decoder((seen,), text, (32, 32)).logits


def test_exports(folder: str, make_text: MakeText) -> None:
    """For any number of expressions and words."""
    torch.manual_seed(0)
    decoder = _Exported(SamDecoder((16,), 7, 5, folder).eval())
    expressions, words = Dim("expressions", min=2), Dim("words", min=2)
    text = make_text((2, 4, 1))
    program = torch.export.export(
        decoder,
        (seen(3), text.words, text.sentence, text.token_mask),
        dynamic_shapes=(
            {0: expressions},
            {0: expressions, 1: words},
            {0: expressions},
            {0: expressions, 1: words},
        ),
    ).module()
    text = make_text((1, 6, 3, 2, 2), seed=1)
    given = seen(5), text.words, text.sentence, text.token_mask
    assert_close(program(*given), decoder(*given), rtol=1e-4, atol=1e-5)
