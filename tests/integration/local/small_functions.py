"""Small functions, requests to them, and their processes."""

import json
import time
from pathlib import Path

from tools.local.runtime import processes

PING = "def handler(event, context): return event"


EXTENSION = """
import http.client, json, os, threading, time

def call(method, path, headers, body=None):
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    connection.request(method, "/2020-01-01/extension" + path, body, headers)
    response = connection.getresponse()
    return response.status, response.headers, json.loads(response.read() or b"{}")

def register(name, events):
    return call("POST", "/register", {"Lambda-Extension-Name": name}, json.dumps({"events": events}))
"""


def ask(environments, event=None):
    return environments.invoke(json.dumps(event or {}).encode())


def answer(environments, event=None):
    invocation = ask(environments, event)
    assert invocation.error is None
    return json.loads(invocation.payload)


STREAM = """
import http.client, os, time

def handler(event, context):
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    path = "/2018-06-01/runtime/invocation/%s/response" % context.aws_request_id
    connection.putrequest("POST", path)
    connection.putheader("Lambda-Runtime-Function-Response-Mode", event.get("mode", "streaming"))
    connection.putheader("Transfer-Encoding", "chunked")
    connection.putheader("Content-Type", "text/plain")
    connection.endheaders()
    for word in event.get("words", []):
        connection.send(b"%x\\r\\n%b\\r\\n" % (len(word), word.encode()))
        time.sleep(event.get("pause", 0))
    if event.get("crash"):
        os._exit(1)
    trailers = "".join("%s: %s\\r\\n" % pair for pair in event.get("trailers", {}).items())
    connection.send(b"0\\r\\n" + trailers.encode() + b"\\r\\n")
    print(connection.getresponse().status)
"""


def running(environments):
    """The processes of the idle environments, the function's own last."""
    until = time.monotonic() + 60
    while not environments._idle and time.monotonic() < until:
        time.sleep(0.01)
    return [pid for environment in environments._idle for pid in processes.family(environment._process.pid)]


def alive(pid):
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
