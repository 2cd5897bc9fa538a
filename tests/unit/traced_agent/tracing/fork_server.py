"""Runs a script for each line of standard input, in a fork of a process that has loaded large libraries.

A line is JSON: `words` are the script and its arguments, `environment` is that of the fork, and `folder` is
for its standard output (`out`) and error (`err`). The exit code is written to standard output. When they are
imported, the libraries read no variable that a test sets.
"""

# ruff: noqa: F401

import asyncio
import json
import os
import runpy
import signal
import sys
from pathlib import Path

import backoff
import boto3
import botocore.docs
import docstring_parser
import google.protobuf.message
import httpcore
import httpx
import pydantic.json_schema
import requests
import wrapt

LIMIT_S = 240
"""After this many seconds a fork is ended by a signal."""


def redirect(folder):
    """Point the standard streams to the files of one run."""
    flags = os.O_WRONLY | os.O_CREAT
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(os.open(folder / "out", flags), 1)
    os.dup2(os.open(folder / "err", flags), 2)


for line in sys.stdin:
    run = json.loads(line)
    child = os.fork()
    if not child:
        signal.alarm(LIMIT_S)
        redirect(Path(run["folder"]))
        os.environ.clear()
        os.environ.update(run["environment"])
        sys.argv = run["words"]
        runpy.run_path(sys.argv[0], run_name="__main__")
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
