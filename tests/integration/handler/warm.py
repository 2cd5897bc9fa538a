"""Answers a number of queries in one process; prints, as JSON, what they cost and what is loaded.

Run by the target Python: warm.py /opt/python /var/task requests
"""

import gc
import json
import resource
import sys
from pathlib import Path

sys.path[:0] = sys.argv[1:3]

import lambda_handler  # noqa: E402


class Context:
    """What Lambda tells of an invocation."""

    aws_request_id = "warm"

    @staticmethod
    def get_remaining_time_in_millis():
        """Plenty."""
        return 60_000


def answer():
    """One query, as a Function URL sends it."""
    body = json.dumps({"query": "Hello", "session_id": "s", "tags": ["t"]})
    http = {"method": "POST", "path": "/"}
    event = {"rawPath": "/", "headers": {}, "requestContext": {"http": http}, "body": body}
    response = lambda_handler.handler(event, Context)
    assert response["statusCode"] == 200, response


def resident_kb():
    """This process's resident memory after a garbage collection."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() // 1024


loaded = []
finish = lambda_handler.handler.after_response.finish


def note_and_finish(*arguments):
    """Note the modules that were loaded for the answer, before the export starts."""
    loaded.append(sorted(sys.modules))
    finish(*arguments)


lambda_handler.handler.after_response.finish = note_and_finish
answer()
lambda_handler.handler.after_response.finish = finish
held = []
for number in range(int(sys.argv[3])):
    if number % 100 == 0:
        held.append(resident_kb())
    answer()
held.append(resident_kb())
print(json.dumps({"loaded": loaded[0], "held_kb": held}), flush=True)
