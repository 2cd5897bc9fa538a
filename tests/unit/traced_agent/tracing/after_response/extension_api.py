"""A fake of Lambda's extensions API, and an export that records its time limits."""

import json
import queue
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Lambda:
    """The Extensions API: events come from a queue; what the extension did is remembered."""

    def __init__(self, register=200):
        self.events = queue.Queue()
        self.registered = []
        self.asked = threading.Semaphore(0)
        self.asks = 0
        lambda_ = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                lambda_.registered.append((self.path, self.headers["lambda-extension-name"], body))
                self.say(register, {"Lambda-Extension-Identifier": "id-1"} if register == 200 else {})

            def do_GET(self):
                lambda_.asks += 1
                lambda_.asked.release()
                assert self.headers["lambda-extension-identifier"] == "id-1"
                event = lambda_.events.get()
                if event == "break":
                    return self.connection.close()
                return self.say(200 if event else 403, {}, event)

            def say(self, status, headers, body=None):
                data = json.dumps(body or {}).encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Length": len(data)}.items():
                    self.send_header(name, str(value))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.api = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def invoke(self, request_id, seconds=10.0):
        deadline = int((time.time() + seconds) * 1000)
        self.events.put({"eventType": "INVOKE", "requestId": request_id, "deadlineMs": deadline})

    def wait_for_ask(self):
        assert self.asked.acquire(timeout=60), "the extension did not ask for the next event"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Exports:
    """Records the time limits of its calls, and raises `error` if it is set."""

    def __init__(self):
        self.budgets = queue.Queue()
        self.error = None

    def __call__(self, budget_s):
        self.budgets.put(budget_s)
        if self.error:
            raise self.error

    def wait(self):
        return self.budgets.get(timeout=60)

    @property
    def none(self):
        time.sleep(0.1)
        return self.budgets.empty()
