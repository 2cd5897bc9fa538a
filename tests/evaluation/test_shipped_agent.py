"""The shipped data set passes with the shipped agent on the local cloud: change both together."""

from tools.evaluate.__main__ import main


def test_the_data_set_passes_with_the_shipped_agent(capsys):
    assert main(["--json"], {"PATH": ""}) == 0, capsys.readouterr().out
