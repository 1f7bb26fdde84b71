"""The variants of each part that the contracts are checked for: a new one takes one line here."""

from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path

from refseg.models.backbones import (
    AtrousResNet,
    ClipResNet,
    ClipSegBackbone,
    Sam2Backbone,
    SamBackbone,
    SmallBackbone,
    TimmBackbone,
    TorchvisionBackbone,
    TransformersBackbone,
    VGG16FullyConvolutional,
)
from refseg.models.decoders import (
    BilinearDecoder,
    ClipSegDecoder,
    DeconvolutionDecoder,
    MaskEmbeddingDecoder,
    PyramidDecoder,
    RegionDecoder,
    SamDecoder,
    SkipConnectionDecoder,
    TextKernelDecoder,
    UpsamplingDecoder,
)
from refseg.models.fusion import (
    ConcatFusion,
    CrossAttention,
    CrossModalTransformer,
    DynamicFilters,
    FilmFusion,
    LanguageAwareFusion,
    MultimodalLSTM,
    NoFusion,
    PyramidFusion,
)
from refseg.models.text_encoders import ClipTextEncoder, LSTMEncoder, TransformersEncoder
from refseg.models.weights.huggingface import Architecture

from .toys import EarlyToy, QueryToy


def _transformers(kind: type, name: str, **options: object) -> Callable[[Path], Callable]:
    return lambda folder: partial(kind, name=str(folder / name), frozen=False, **options)


def _plain(kind: type, *arguments: object, **options: object) -> Callable[[Path], Callable]:
    return lambda _: partial(kind, *arguments, **options)


TINY_CROSS_MODAL = {"hidden_dim": 8, "heads": 2, "layers": 2, "feedforward_dim": 12}
TINY_CLIP = {"layers": (1, 2, 1, 1), "width": 4, "heads": 2, "embed_dim": 12}

BACKBONES = {
    "small-4": _plain(SmallBackbone, width=8, image_dim=12, colour_dim=4),
    "small-8": _plain(SmallBackbone, width=8, image_dim=12, colour_dim=4, stride=8, blocks=2),
    "small-fine-4": _plain(SmallBackbone, width=8, image_dim=12, colour_dim=4, fine_dim=6),
    "small-fine-8": _plain(
        SmallBackbone, width=8, image_dim=12, colour_dim=4, stride=8, fine_dim=6, fine_blocks=1
    ),
    "resnet18-8": _plain(TorchvisionBackbone, "resnet18", stride=8),
    "resnet18-pyramid": _plain(TorchvisionBackbone, "resnet18", stride=16, pyramid_dim=12),
    "squeezenet-8": _plain(TorchvisionBackbone, "squeezenet1_1", stride=8),
    "squeezenet-pyramid": _plain(TorchvisionBackbone, "squeezenet1_1", stride=4, pyramid_dim=12),
    "mobilenet-16": _plain(TorchvisionBackbone, "mobilenet_v3_small", stride=16),
    "atrous-resnet": _plain(AtrousResNet, frozen=False, blocks=(1, 1, 1, 1), width=4),
    "vgg16": _plain(VGG16FullyConvolutional, frozen="nothing", image_dim=12, hidden_dim=8, width=4),
    "swin-last": _transformers(TransformersBackbone, "swin"),
    "swin-pyramid": _transformers(TransformersBackbone, "swin", stride=8, pyramid_dim=12),
    "swin-stages": _transformers(TransformersBackbone, "swin", every_stage=True),
    "swinv2-stages": _transformers(TransformersBackbone, "swinv2", every_stage=True),
    "convnext-stages": _transformers(TransformersBackbone, "convnext", every_stage=True),
    "dinov2-stages": _transformers(TransformersBackbone, "dinov2", every_stage=True),
    "registers-stages": _transformers(
        TransformersBackbone, "dinov2_with_registers", every_stage=True
    ),
    "dinov3-stages": _transformers(TransformersBackbone, "dinov3_vit", every_stage=True),
    "dinov2-layers": _transformers(TransformersBackbone, "dinov2", layers=[1, 3], pyramid_dim=12),
    "clip-image": _transformers(TransformersBackbone, "clip"),
    "siglip-image": _transformers(TransformersBackbone, "siglip", every_stage=True),
    "siglip2-image": _transformers(TransformersBackbone, "siglip2", layers=[1, 2], pyramid_dim=12),
    "metaclip-image": _transformers(TransformersBackbone, "metaclip_2", layers=[1]),
    "timm-8": _plain(TimmBackbone, "test_efficientnet", stride=8),
    "timm-pyramid": _plain(TimmBackbone, "test_efficientnet", stride=8, pyramid_dim=12),
    "timm-levels": _plain(TimmBackbone, "test_convnext", every_stage=True),
    "timm-vit": _plain(TimmBackbone, "test_vit"),
    "dinov2": _transformers(TransformersBackbone, "dinov2"),
    "convnext-8": _transformers(TransformersBackbone, "convnext", stride=8),
    "sam": _transformers(SamBackbone, "sam"),
    "sam-twice": _transformers(SamBackbone, "sam", for_dense_prompt=True),
    "sam2": _transformers(Sam2Backbone, "sam2"),
    "sam2-twice": _transformers(Sam2Backbone, "sam2", for_dense_prompt=True),
    "resnet-16": _transformers(TransformersBackbone, "resnet", stride=16),
    "clipseg": _transformers(ClipSegBackbone, "clipseg"),
    "clip-resnet": _plain(ClipResNet, **TINY_CLIP),
    "clip-resnet-16": _plain(ClipResNet, stride=16, **TINY_CLIP),
}
if version("transformers").startswith("5.0."):  # which cannot make it without memory
    del BACKBONES["dinov3-stages"]
TEXT_ENCODERS = {
    "lstm": _plain(LSTMEncoder, embedding_dim=8, hidden_dim=6),
    "lstm-paper": _plain(
        LSTMEncoder, embedding_dim=8, hidden_dim=6, word_features="state", recurrent_bias=False
    ),
    "lstm-left-padding": _plain(LSTMEncoder, embedding_dim=8, hidden_dim=6, left_padding=7),
    "bert": _transformers(TransformersEncoder, "bert"),
    "bert-pooler": _transformers(TransformersEncoder, "bert", sentence="pooler"),
    "roberta": _transformers(TransformersEncoder, "roberta"),
    "clip_text": _transformers(TransformersEncoder, "clip_text"),
    "clip-pooler": _transformers(TransformersEncoder, "clip", sentence="pooler"),
    "clip-projection": _transformers(TransformersEncoder, "clip", sentence="projection"),
    "clip-by-sizes": _plain(ClipTextEncoder, width=16, layers=2, heads=2, projection_dim=12),
    "t5": _transformers(TransformersEncoder, "t5"),
    "siglip": _transformers(TransformersEncoder, "siglip"),
    "siglip-projection": _transformers(TransformersEncoder, "siglip", sentence="projection"),
    "siglip2-pooler": _transformers(TransformersEncoder, "siglip2", sentence="pooler"),
    "metaclip_2": _transformers(TransformersEncoder, "metaclip_2", sentence="projection"),
    "clipseg": _transformers(TransformersEncoder, "clipseg", sentence="projection"),
    "owlv2": _transformers(TransformersEncoder, "owlv2", sentence="projection"),
}
FUSIONS = {
    "concat": partial(ConcatFusion, hidden_dim=6),
    "concat-deep": partial(ConcatFusion, hidden_dim=6, layers=3, normalize=False),
    "concat-projection": partial(ConcatFusion, hidden_dim=6, projection_dim=8),
    "mlstm": partial(MultimodalLSTM, hidden_dim=6),
    "mlstm-state": partial(MultimodalLSTM, hidden_dim=6, output="state", normalize=False),
    "mlstm-projection": partial(MultimodalLSTM, hidden_dim=6, projection_dim=8),
    "mlstm-one-at-once": partial(MultimodalLSTM, hidden_dim=6, expressions_at_once=1),
    "film": partial(FilmFusion, hidden_dim=6, blocks=2),
    "cross-attention": partial(CrossAttention, hidden_dim=6, heads=2),
    "cross-modal": partial(CrossModalTransformer, **TINY_CROSS_MODAL, levels=1),
    "filters": partial(DynamicFilters, hidden_dim=6, filters=3),
    "filters-none": partial(DynamicFilters, hidden_dim=6, filters=0, layers=2),
    "pyramid": partial(PyramidFusion, hidden_dim=6, heads=2),
}
# Fusions that speak between the stages of one backbone, or merge maps: checked in a whole network.
EARLY = {
    "cross-attention-3": partial(CrossAttention, hidden_dim=6, heads=2, levels=3),
    "cross-modal-3": partial(CrossModalTransformer, **TINY_CROSS_MODAL),
    "pyramid-3": partial(PyramidFusion, hidden_dim=6, heads=2),
    "none": NoFusion,
    "early-small": partial(EarlyToy, stage_dims={1: 8, 2: 16}),
    "language-aware": partial(LanguageAwareFusion, stages=[1, 2], heads=2),
    "language-aware-last": partial(LanguageAwareFusion, stages=(0, 1), heads=2),
    "language-aware-every": LanguageAwareFusion,
    "language-aware-all": partial(LanguageAwareFusion, heads=(1, 1, 2, 4)),
}
REGION = {"hidden_dim": 32, "layers": 2, "heads": 2, "feedforward_dim": 8, "grid": 3}
_SAM = Architecture(
    model_type="sam_mask_decoder",
    hidden_size=16,
    mlp_dim=16,
    num_attention_heads=2,
    iou_head_hidden_dim=16,
)
_CLIPSEG = Architecture(
    model_type="clipseg",
    vision_config={"hidden_size": 16, "num_attention_heads": 2, "patch_size": 16},
    projection_dim=12,
    extract_layers=[0, 1],
    reduce_dim=8,
    decoder_num_attention_heads=2,
    decoder_intermediate_size=16,
    use_complex_transposed_convolution=True,
    initializer_factor=0.3,  # else the logits of random weights are large
)
_SAM2 = Architecture(_SAM, model_type="sam2_mask_decoder")
DECODERS = {
    "bilinear": BilinearDecoder,
    "legacy": partial(BilinearDecoder, grid="legacy"),
    "deconvolution": partial(DeconvolutionDecoder, stride=4),
    "pyramid": partial(PyramidDecoder, hidden_dim=8),
    "mask-embedding": partial(MaskEmbeddingDecoder, hidden_dim=8),
    "text-kernel": partial(TextKernelDecoder, hidden_dim=8),
    "sam": partial(SamDecoder, name="sam", architecture=_SAM),
    "query": QueryToy,
    "region": partial(RegionDecoder, **REGION, pixel_layers=1, pixel_feedforward_dim=8),
    "region-pyramid": partial(RegionDecoder, **REGION, pixel_decoder="pyramid"),
    "skip-connection": SkipConnectionDecoder,
    "upsampling": partial(UpsamplingDecoder, hidden_dim=8),
}
# Decoders that need several maps: checked in a whole network.
OF_SEVERAL_MAPS = {
    "clipseg": partial(ClipSegDecoder, name="clipseg", architecture=_CLIPSEG),
    "sam-dense": partial(SamDecoder, name="sam", dense=True, architecture=_SAM),
    "sam2": partial(SamDecoder, name="sam2", architecture=_SAM2),
    "sam2-dense": partial(SamDecoder, name="sam2", dense=True, architecture=_SAM2),
}
LOOK_AROUND = (
    MaskEmbeddingDecoder,
    PyramidDecoder,
    RegionDecoder,
    TextKernelDecoder,
    SamDecoder,
)  # decoders whose cells look at their neighbours

# Each part occurs at least once with a pretrained and once with an untrained neighbour.
NETWORKS = {
    "rmi-paper": ("atrous-resnet", "lstm-paper", "mlstm-projection", "legacy"),
    "lstm-cnn-paper": ("vgg16", "lstm-left-padding", "concat", "deconvolution"),
    "rmi": ("small-fine-8", "lstm", "mlstm", "mask-embedding"),
    "lstm-cnn": ("squeezenet-8", "lstm", "concat", "bilinear"),
    "transformers-mlstm": ("swin-pyramid", "bert", "mlstm", "bilinear"),
    "transformers-concat": ("dinov2", "clip-pooler", "concat-deep", "bilinear"),
    "early": ("small-4", "lstm", "early-small", "bilinear"),
    "language-aware": ("small-4", "lstm", "language-aware", "bilinear"),
    "lavt": ("swin-stages", "bert", "language-aware-all", "skip-connection"),
    "language-aware-layers": ("dinov2-stages", "bert", "language-aware-all", "pyramid"),
    "clip-film": ("clip-image", "clip-pooler", "film", "bilinear"),
    "timm": ("timm-levels", "lstm", "concat", "pyramid"),
    "timm-early": ("timm-levels", "lstm", "language-aware-every", "pyramid"),
    "timm-early-8": ("timm-8", "lstm", "language-aware-last", "bilinear"),
    "timm-cross-attention": ("timm-levels", "lstm", "cross-attention-3", "pyramid"),
    "pyramid": ("small-fine-4", "lstm", "concat", "pyramid"),
    "film": ("resnet18-8", "bert-pooler", "film", "bilinear"),
    "cross-attention": ("dinov2", "bert", "cross-attention", "bilinear"),
    "filters": ("small-4", "lstm", "filters", "bilinear"),
    "dmn": ("small-fine-4", "lstm", "filters", "upsampling"),
    "language-aware-clip": ("clip-resnet", "lstm", "language-aware", "pyramid"),
    "cris": ("clip-resnet", "clip-by-sizes", "cross-modal-3", "text-kernel"),
    "sam": ("sam", "bert", "none", "sam"),
    "sam-dense": ("sam-twice", "clip-projection", "mlstm", "sam-dense"),
    "sam-early": ("sam", "bert", "language-aware-last", "sam"),
    "clipseg": ("clipseg", "clipseg", "none", "clipseg"),
    "sam2": ("sam2", "siglip-projection", "none", "sam2"),
    "sam2-dense": ("sam2-twice", "lstm", "cross-attention", "sam2-dense"),
    "queries": ("resnet18-pyramid", "lstm", "mlstm", "query"),
    "rela": ("swin-stages", "bert", "language-aware-all", "region"),
    "regions": ("small-fine-4", "lstm", "concat", "region-pyramid"),
}
