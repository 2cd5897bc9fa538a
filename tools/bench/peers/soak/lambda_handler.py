"""The Lambda function's entry point: `lambda_handler.handler`."""

from traced_agent import create_handler  # first: it makes the imports of Strands in `agent` faster

# isort: split
from agent import build_agent, build_model

handler = create_handler(build_model, build_agent)
