"""Whose errors are put in a message: those about options, and no others."""

import pytest
import torch
from lightning import Trainer

from refseg.cli.messages import explain, refusal


def caught(function: object, *arguments: object, **options: object) -> Exception:
    with pytest.raises((TypeError, ValueError)) as caught:
        function(*arguments, **options)  # type: ignore[operator]  # called for its error
    return caught.value


def test_lightning_and_optimizers_refuse_options() -> None:
    error = caught(Trainer, accelerator="nope", logger=False)
    assert "Lightning refuses an option: You selected an invalid" in str(refusal(error))
    error = caught(torch.optim.SGD, [torch.zeros(1)], lr=-1.0)
    assert refusal(error) == "The optimizer refuses an option: Invalid learning rate: -1.0"


def test_errors_of_other_origin_keep_their_traceback() -> None:
    assert refusal(caught(int, "x")) is None
    assert refusal(ValueError("never raised")) is None


def test_the_nearest_option_of_a_class_or_all_of_them() -> None:
    options = ["-h", "--help", "--print_config", "--width", "--stride"]
    unknown = "There is no option '{}' here."
    assert explain("Option 'widht' is not accepted", options) == (
        f"{unknown.format('widht')} Did you mean width?"
    )
    assert explain("Option 'x' is not accepted", options) == (
        f"{unknown.format('x')} Known are stride, width."
    )
    nested = f'Parser key "a.b":\n  - {unknown.format("x")} Known are c.\n  - Expected more'
    assert explain(nested, options) == f"Of a.b: {unknown.format('x')} Known are c."


def test_what_is_not_understood_is_repeated_in_one_line() -> None:
    assert explain("something\n  else") == "something else"
    assert explain('Parser key "a.b": Got value: 3') == 'Parser key "a.b": Got value: 3'
