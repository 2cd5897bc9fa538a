"""Nothing is deleted without a yes."""

import pytest

from tools.aws import destroy
from tools.command import Failure


@pytest.mark.parametrize("answer", ["", "n", "no", "Yep"])
def test_anything_but_yes_keeps_all(answer: str) -> None:
    with pytest.raises(Failure, match="nothing was deleted"):
        destroy.confirm("us-east-1", lambda _: answer)


@pytest.mark.parametrize("answer", ["y", "yes", " Y "])
def test_yes_goes_on(answer: str) -> None:
    destroy.confirm("us-east-1", lambda _: answer)


def test_nobody_there_is_no_yes() -> None:
    def nobody(_: str) -> str:
        raise EOFError

    with pytest.raises(Failure, match="--force"):
        destroy.confirm("us-east-1", nobody)
