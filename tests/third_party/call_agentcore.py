"""Calls the URL with the local client of AgentCore's starter toolkit; prints what it returned.

Arguments: the URL, the payload.
"""

import json
import sys

import requests
from bedrock_agentcore_starter_toolkit.services.runtime import LocalBedrockAgentCoreClient

url, payload = sys.argv[1:]
ping = requests.get(f"{url}/ping", timeout=60).json()
client = LocalBedrockAgentCoreClient(url)
try:
    found = client.invoke_endpoint("a-session", payload, "a-token", "http://127.0.0.1/callback")
except requests.HTTPError as error:
    found = {"status": error.response.status_code, "error": error.response.json()["error"]}
print("\n" + json.dumps({"ping": ping, "found": found}))
