"""The shipped data set passes with the shipped agent on the local cloud: change both together."""

from tools.evaluate.__main__ import main
from tools.local.cloud.local_cloud import LocalCloud


def test_the_data_set_passes_with_the_shipped_agent(capsys):
    with LocalCloud() as cloud:
        code = main(["--url", cloud.url, "--json"], {"PATH": ""})
    assert code == 0, capsys.readouterr().out
