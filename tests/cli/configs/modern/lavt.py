"""LAVT: Swin-B with pixel-word attention, BERT, a decoder with skip connections."""

from pathlib import Path

from .system import System, write_tokenizer

_PIECES = 30522
_SWIN = (128, 256, 512, 1024)  # channels of the stages
# Norms of the stages' maps, in whose place are those of the fusion, and of the last map.
UNUSED = ("backbone.*.hidden_states_norms.*", "backbone.trunk.swin.layernorm.*")


def _options(swin: Path, bert: Path) -> list[str]:
    return [
        f"--model.backbone.name={swin}",
        f"--model.text_encoder.name={bert}",
        f"--data.tokenizer.name={bert}",
    ]


def small(folder: Path) -> list[str]:
    """A Swin of four blocks, and a BERT of twelve layers, of which the recipe names two."""
    from transformers import BertConfig, BertModel, SwinConfig, SwinModel

    swin = SwinConfig(image_size=32, embed_dim=8, depths=[1] * 4, num_heads=[2] * 4, window_size=4)
    SwinModel(swin).save_pretrained(folder / "swin")
    bert = BertConfig(
        vocab_size=50,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=12,
        num_attention_heads=2,
        max_position_embeddings=24,
    )
    BertModel(bert).save_pretrained(folder / "bert")
    write_tokenizer(folder / "bert", 50)
    return [*_options(folder / "swin", folder / "bert"), "--data.image_size=64"]


def full(folder: Path) -> list[str]:
    """Swin-B with windows of 12 cells, and BERT-base."""
    from transformers import BertConfig, SwinConfig

    SwinConfig(
        image_size=384,
        embed_dim=_SWIN[0],
        depths=[2, 2, 18, 2],
        num_heads=[4, 8, 16, 32],
        window_size=12,
    ).save_pretrained(folder / "swin")
    BertConfig(vocab_size=_PIECES).save_pretrained(folder / "bert")
    write_tokenizer(folder / "bert", _PIECES)
    options = _options(folder / "swin", folder / "bert")
    pretrained = [f"--model.{part}.pretrained=false" for part in ("backbone", "text_encoder")]
    return [*options, *pretrained]


SYSTEM = System(
    small,
    full,
    # Of the published files: `model` (118.85 M), and `bert_model` without its pooler.
    published={"model": 118_847_866, "bert_model": 108_891_648},
    differences={
        "no gate of the last stage, which feeds nothing": -2 * _SWIN[-1] ** 2,
        "one logit instead of two classes, a weight per channel and a bias": -(512 + 1),
    },
    unused=UNUSED,
)
