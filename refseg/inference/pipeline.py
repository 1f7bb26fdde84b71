"""From a checkpoint to masks for one's own images."""

import logging
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, UInt8
from PIL import Image

from refseg.checkpoint import import_packages as import_own
from refseg.checkpoint import read_checkpoint
from refseg.data import Tokenizer, read_image, tokenizer_from_state
from refseg.data.collation import stack_images
from refseg.data.from_checkpoint import transform_of
from refseg.data.orientation import oriented
from refseg.data.pixels import rgb_from_array, rgb_of
from refseg.data.tokenizers import split_words
from refseg.errors import CheckpointError, DataError
from refseg.evaluation.predictions import check_logits, predict
from refseg.geometry import Fit, Geometry, Resampling
from refseg.inference.from_checkpoint import Description, build_segmenter, description_of
from refseg.models.segmenter import Segmenter
from refseg.types import Batch

if TYPE_CHECKING:  # needed by those that refine masks, or read word by word
    from refseg.inference.crf import CRFOptions
    from refseg.inference.word_by_word import Reading

_log = logging.getLogger(__name__)

Picture = str | Path | Image.Image | np.ndarray  # pixels, checked by `as_pixels`


class Segmentation(NamedTuple):
    """What an expression names in an image.

    Args:
        mask: True at the pixels of the object, in the image's own size.
        score: mean probability of the pixels of the mask, (0.5, 1] unless every touched pixel
            counts (`original` resampling); 0 where the mask is empty.
    """

    mask: Bool[np.ndarray, " height width"]
    score: float


class Pipeline:
    """Segments images by expressions: tokenizer, geometry, network, and the way back.

    Args:
        segmenter: the trained network.
        tokenizer: with the vocabulary that the network was trained with.
        image_size: side of the network's square, pixels.
        fill: value of the letterbox's border, 0–255.
        resampling: how images are scaled, and masks brought back (`Geometry`).
        geometry: how images are fitted into the square: `letterbox`, or `squash`.
        device: where to compute, `cpu` or `cuda`, say.
        description: what the checkpoint says of the network; `load` supplies it. A pipeline without
            one cannot be saved.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        tokenizer: Tokenizer,
        image_size: int,
        fill: int = 0,
        device: str = "cpu",
        resampling: Resampling = "antialiased",
        geometry: Fit = "letterbox",
        description: Description | None = None,
    ) -> None:
        self.segmenter = segmenter.to(device).eval()
        self.tokenizer, self.image_size, self.fill = tokenizer, image_size, fill
        self.resampling: Resampling = resampling
        self.geometry: Fit = geometry
        self.description = description
        self.device = torch.device(device)
        self._told: deque[str] = deque(maxlen=1000)

    def segment(
        self, image: Picture, expression: str, crf: "CRFOptions | None" = None
    ) -> Segmentation:
        """Segment what an expression names.

        A warning in the log names words that the model does not know, and says where a sentence is
        longer than the model reads; once for the same sentence.

        Args:
            image: a file, a PIL image, or pixels (grey, RGB or RGBA; 8 or 16 bits, or 0–1).
            expression: the sentence.
            crf: refine the prediction by DenseCRF; mask and score are then those of its result.

        Raises:
            ConfigError: DenseCRF is asked for, but pydensecrf2 is not installed.
            DataError: the image cannot be read; a sentence is empty or has no word that the model
                knows.
            PredictionError: a logit is not a number.
        """
        return self.segment_all(image, [expression], crf)[0]

    def segment_all(
        self, image: Picture, expressions: Sequence[str], crf: "CRFOptions | None" = None
    ) -> list[Segmentation]:
        """Segment what each of several expressions names; the image is encoded once."""
        pixels = as_pixels(image)
        with torch.inference_mode():
            batch = self._batch(pixels, list(expressions))
            logits = self.segmenter(batch).segmentation()
            check_logits(batch, logits)
            if crf is None:
                found = predict(batch, logits)
            else:
                from refseg.inference.crf_processes import refine_in_own_size

                assert batch.images is not None
                fitted = batch.images[0].permute(1, 2, 0).cpu().numpy()
                found = refine_in_own_size(pixels, fitted, logits, batch.geometries[0], crf)
        pairs = zip(found.masks, found.scores.tolist(), strict=True)
        return [Segmentation(mask.numpy(), score) for mask, score in pairs]

    def read(self, image: Picture, expression: str) -> "Reading":
        """Prediction and activation after each word, for a fusion that reads word by word.

        Raises:
            DataError: as `segment`, like the next one.
            PredictionError: a logit is not a number.
            TypeError: the fusion reads the sentence at once.
        """
        from refseg.inference.word_by_word import read

        with torch.inference_mode():
            batch = self._batch(image, [expression])
            return read(self.segmenter, batch, self.tokenizer)

    def save_pretrained(
        self, folder: str | Path, name: str | None = None, results: str | Path | None = None
    ) -> Path:
        """Write the model into a folder that `refseg.load` opens and the Hugging Face hub shows.

        It holds `config.json`, `model.safetensors` (float32), the files of the tokenizer, and
        `README.md`, a card with what is known of the training, and with figures where the run has
        been evaluated.

        Args:
            folder: new, empty, or that of a model of refseg, which is replaced.
            name: of the model in its card, `owner/name` on the hub; None: that of the folder.
            results: of the evaluation whose figures the card shows: the folder of a run, or its
                `results.parquet`; None: those in the run of the checkpoint, if they are of it.

        Returns:
            The folder.

        Raises:
            ConfigError: the folder has other files, or the model was not made by `refseg.load`.
            DataError: the results are absent or damaged.
        """
        from refseg.inference.sharing import write_folder  # no need of those who only predict

        return write_folder(self, Path(folder), name, results)

    def _batch(self, image: Picture, expressions: list[str]) -> Batch:
        pixels = as_pixels(image)
        for expression in expressions:
            self.check(expression)
        tokens, token_mask = self.tokenizer.encode(expressions)
        height, width = pixels.shape[:2]
        geometry = Geometry.of(self.geometry, height, width, self.image_size, self.resampling)
        return Batch(
            images=stack_images([geometry.apply_image(pixels, self.fill)]),
            tokens=torch.from_numpy(tokens),
            token_mask=torch.from_numpy(token_mask),
            image_index=torch.zeros(len(expressions), dtype=torch.int64),
            masks=None,
            expressions=tuple(expressions),
            expression_ids=tuple(range(len(expressions))),
            truths=(),
            geometries=(geometry,),
            image_paths=(str(image) if isinstance(image, str | Path) else "",),
        ).to(self.device)

    def check(self, expression: str) -> None:
        """Refuse what is no sentence for this model; a warning in the log names unknown words.

        Raises:
            DataError: it has no word, or none that the model knows.
        """
        tokenizer = self.tokenizer
        if not tokenizer.words(expression):
            raise DataError(f"The expression {expression!r} has no word; give at least one.")
        is_cut = int(tokenizer.lengths([expression])[0]) > tokenizer.max_words
        if not tokenizer.knows_any_word(expression):
            read = f"of the first {tokenizer.max_words} {tokenizer.unit} " if is_cut else ""
            raise DataError(
                f"No word {read}of {expression!r} is in the vocabulary of this model "
                f"({tokenizer.vocab_size} words); say it in words of its training data."
            )
        if is_cut:
            self._tell(
                f"The model reads the first {tokenizer.max_words} {tokenizer.unit} of "
                f"{expression!r}; the rest is cut off: say it shorter."
            )
        unknown = dict.fromkeys(map(repr, filter(split_words, tokenizer.unknown_words(expression))))
        if unknown:
            self._tell(
                f"The model does not know {', '.join(unknown)} in {expression!r} "
                f"(its vocabulary has {tokenizer.vocab_size} words): the mask follows from the "
                "other words."
            )

    def _tell(self, line: str) -> None:
        if line not in self._told:
            _log.warning(line)
            self._told.append(line)


def load(
    path: str | Path,
    device: str = "cpu",
    import_packages: Sequence[str] = (),
    revision: str | None = None,
) -> Pipeline:
    """Make a pipeline from a checkpoint; nothing else is needed, and nothing in it is executed.

    Args:
        path: of a checkpoint that `refseg fit` wrote, or of a folder that `save_pretrained` wrote;
            or the name of a model on the Hugging Face hub, `owner/name`, which is downloaded once.
        device: where to compute, `cpu` or `cuda`, say.
        import_packages: packages of your own that are imported, and whose classes checkpoints may
            name from then on.
        revision: of a model on the hub: a branch, tag or commit; None: the newest one.

    Raises:
        CheckpointError: there is no such file or model, it is no complete one of refseg, or names
            foreign classes.
        ConfigError: there is no such package.
    """
    import_own(import_packages)
    checkpoint = read_checkpoint(path, revision)
    segmenter = build_segmenter(checkpoint, path)
    data: dict[str, Any] = checkpoint["ReferringDataModule"]
    tokenizer = tokenizer_from_state(data["tokenizer"])
    vocab_size = checkpoint["hyper_parameters"]["vocab_size"]
    if tokenizer.vocab_size > vocab_size:
        raise CheckpointError(
            f"The vocabulary in {path} has {tokenizer.vocab_size:,} words, and its model knows "
            f"{vocab_size:,}; use a checkpoint as `refseg fit` wrote it."
        )
    return Pipeline(
        segmenter,
        tokenizer,
        device=device,
        description=description_of(checkpoint, path),
        **transform_of(data["transform"], path).state_dict(),
    )


def as_pixels(image: Picture) -> UInt8[np.ndarray, " height width 3"]:
    """8-bit RGB pixels of a file, a PIL image or an array: the same picture from each.

    A file and a PIL image are turned upright as their EXIF orientation says.

    Raises:
        DataError: the file or the image cannot be read, or its values have no known white.
    """
    if isinstance(image, str | Path):
        return read_image(Path(image).expanduser())
    if isinstance(image, Image.Image):
        name = f"The image {getattr(image, 'filename', '') or 'that was given'}"
        try:
            return rgb_of(oriented(image), name)
        except (OSError, SyntaxError, ValueError) as error:
            raise DataError(f"{name} cannot be read ({error}); open it again.") from None
    return rgb_from_array(image, "The array that was given")
