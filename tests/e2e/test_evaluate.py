"""A data set is evaluated against a deployed function."""

import json

from tools.evaluate.__main__ import main


def test_a_data_set_is_evaluated_against_the_deployed_function(cloud, capsys, tmp_path):
    items = [
        {"input": "What is 12 * (3 + 4)?", "expected_output": "84"},
        {"input": {"query": "What is 100 / 8?", "tags": ["evaluation"]}, "expected_output": ["12.5"]},
    ]
    file = tmp_path / "items.jsonl"
    file.write_text("\n".join(map(json.dumps, items)))
    code = main(["--url", cloud.url, "--file", str(file), "--json"], {"PATH": ""})
    report = json.loads(capsys.readouterr().out)
    assert code == 0, report
    assert report["score"] == 1.0
    assert len(report["items"]) == 2
    assert all(item["trace_url"] for item in report["items"])
