"""Source files stay short enough to read at once."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
MAX_LINES = 250
KINDS = ("*.py", "*.js", "*.css", "*.html")


def test_no_source_file_has_more_than_250_lines():
    listed = subprocess.run(
        ["git", "ls-files", *KINDS], cwd=ROOT, check=True, capture_output=True, encoding="utf-8"
    )
    files = [ROOT / name for name in listed.stdout.splitlines()]
    assert len(files) > 300
    lengths = {str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path in files}
    assert {path: length for path, length in lengths.items() if length > MAX_LINES} == {}
