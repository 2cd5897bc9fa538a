"""The shipped data set passes on the local cloud."""

import json

from tools.evaluate.__main__ import main


def test_the_shipped_data_set_passes_against_the_deployed_function(cloud, capsys):
    code = main(["--url", cloud.url, "--json"], {"PATH": ""})
    report = json.loads(capsys.readouterr().out)
    assert code == 0, report
    assert report["score"] == 1.0
    assert all(item["trace_url"] for item in report["items"])
