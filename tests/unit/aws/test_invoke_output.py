"""What `invoke` prints next to an answer."""

import pytest

from tools.aws import invoke

ANSWER = {"success": True, "response": "4", "usage": {}, "duration_ms": 1, "model_id": "m"}


@pytest.mark.parametrize("reason", ["interrupt", "limit_turns", "max_tokens", "guardrail_intervened"])
def test_a_run_that_stopped_early_is_reported(reason, capsys) -> None:
    invoke.show({**ANSWER, "response": "", "stop_reason": reason})
    assert f"The run stopped early: {reason}" in capsys.readouterr().err


@pytest.mark.parametrize("reason", ["end_turn", "tool_use"])
def test_a_complete_answer_has_no_such_line(reason, capsys) -> None:
    invoke.show({**ANSWER, "stop_reason": reason})
    printed = capsys.readouterr()
    assert (printed.out, "stopped" in printed.err) == ("4\n", False)
