"""A file of items: one JSON object a line."""

import pytest

from tools.command import Failure
from tools.evaluate.items import read_items


def test_a_file_with_a_byte_order_mark_is_read(tmp_path):
    file = tmp_path / "items.jsonl"
    file.write_text('{"input": "Zürich?"}\n\n', "utf-8-sig")
    assert [item["input"] for item in read_items(file)] == ["Zürich?"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read: No such file or directory"),
        (b'{"input": "Z\xfcrich?"}', "is not UTF-8 at byte 12: convert the file"),
        (b"\n", "contains no items"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(tmp_path, content, says):
    file = tmp_path / "items.jsonl"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(Failure, match=says) as raised:
        read_items(file)
    assert "\n" not in str(raised.value)
