"""Reads a streamed answer with each of PyPI's readers in turn; prints the events of each as JSON.

Arguments: the URL, the query. The readers stay open after their last event, because one of them reconnects.
"""

import asyncio
import json
import queue
import sys
import threading
import time

import aiohttp
import httpx
import requests
import sseclient
import urllib3
from aiohttp_sse_client.client import EventSource
from httpx_sse import connect_sse
from ld_eventsource import SSEClient
from ld_eventsource.config import ConnectStrategy

LAST = ("result", "error")
KEPT_OPEN_S = 3


def httpx_sse(url, body, on_event):
    with httpx.Client(timeout=60) as client, connect_sse(client, "POST", url, json=body) as source:
        for event in source.iter_sse():
            on_event(event.event, event.data)


def sseclient_py(url, body, on_event):
    headers = {"accept": "text/event-stream"}
    response = requests.post(url, json=body, headers=headers, stream=True, timeout=60)
    for event in sseclient.SSEClient(response).events():
        on_event(event.event, event.data)


class Posting(urllib3.PoolManager):
    """A client for a reader that can only send GET."""

    def __init__(self, body):
        super().__init__()
        self.body = body

    def request(self, _method, url, **options):
        return super().request("POST", url, body=json.dumps(self.body), **options)


def launchdarkly_eventsource(url, body, on_event):
    """It ignores `retry:`: with an error strategy that continues it would repeat the query."""
    headers = {"content-type": "application/json"}
    connect = ConnectStrategy.http(url, headers=headers, pool=Posting(body))
    with SSEClient(connect=connect) as client:
        for event in client.events:
            on_event(event.event, event.data)


def aiohttp_sse_client(url, body, on_event):
    async def read():
        async with (
            aiohttp.ClientSession() as session,
            EventSource(url, option={"method": "POST"}, session=session, json=body) as source,
        ):
            async for event in source:
                on_event(event.type, event.data)

    asyncio.run(read())


def read(reader, url, body):
    """Start a reader; wait for its last event. Its list of events can grow further if it reconnects."""
    events, ended = [], queue.Queue()

    def on_event(name, data):
        events.append((name, json.loads(data)))
        if name in LAST:
            ended.put(name)

    threading.Thread(target=reader, args=(url, body, on_event), daemon=True).start()
    ended.get(timeout=60)
    return events


url, query = sys.argv[1:]
readers = (httpx_sse, sseclient_py, launchdarkly_eventsource, aiohttp_sse_client)
found = {reader.__name__.replace("_", "-"): read(reader, url, {"query": query}) for reader in readers}
time.sleep(KEPT_OPEN_S)
print(json.dumps(found))
