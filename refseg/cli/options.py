"""The options of a comparison, which `refseg compare` and `refseg report` share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from refseg.cli.parsing.argument_types import Count, Natural, Option

if TYPE_CHECKING:
    from refseg.analysis.breakdowns import By
    from refseg.analysis.findings import Findings

Runs = Annotated[Sequence[str], Option(metavar="RUN")]
Draws = Annotated[int, Option(least=100)]


@dataclass(frozen=True)
class Comparison:
    """Which expressions are compared, in which groups, and how chance is drawn.

    Args:
        against: seeds of the other model; the runs before are then seeds of the first
        baseline: name of the model that the others are compared with; default: the first
        splits: to compare on; default: all that the runs share
        metric: of breakdowns and verdict: overall_iou, mean_iou or precision@X
        lengths: groups of lengths; auto takes those of the data set
        sizes: groups of sizes: borders at 3 and 10 % of the image (share); at 1, 3, 10 and 30 %
            (fine); at 32² and 96² pixels (coco)
        categories: number of the most frequent categories that have a group each
        only_shared: leave out expressions that a run lacks, rather than refuse
        seed: of draws and swaps
    """

    against: Runs = ()
    baseline: str | None = None
    splits: Sequence[str] | None = None
    metric: str = "overall_iou"
    lengths: Literal["auto", "gref", "unc", "referit", "shapes"] = "auto"
    sizes: Literal["share", "fine", "coco"] = "share"
    categories: Count = 15
    only_shared: bool = False
    seed: Natural = 0

    def compare(
        self,
        runs: Sequence[str],
        by: "Sequence[By | Literal['rivals']]",
        resamples: int,
        examples: int,
    ) -> "Findings":
        """Compare what runs have left.

        Args:
            runs: paths of runs, or NAME=PATH.
            by: breakdowns to make.
            resamples: number of bootstrap draws of images, and of swaps of models.
            examples: number of the largest gains, and losses, to keep.

        Raises:
            ConfigError: there is no such metric.
            DataError: the runs cannot be compared.
        """
        from refseg.analysis.findings import compare

        return compare(
            runs,
            self.against,
            baseline=self.baseline,
            by=by,
            splits=self.splits,
            metric=self.metric,
            lengths=self.lengths,
            sizes=self.sizes,
            categories=self.categories,
            only_shared=self.only_shared,
            resamples=resamples,
            seed=self.seed,
            examples=examples,
        )
