from .analysis.findings import compare as compare
from .analysis.report.page import report as report
from .data.refer_api import REFER as REFER
from .inference.loading import load as load
from .training.evaluation import evaluate as evaluate
from .training.submitted_predictions import evaluate_predictions as evaluate_predictions

__version__: str
