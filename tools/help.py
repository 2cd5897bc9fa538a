"""Lists the commands: `hatch run help`."""

from collections.abc import Mapping

from tools.command import OUT, PLAIN, run

GROUPS: Mapping[str, Mapping[str, str]] = {
    "Try it": {
        "demo": "deploy to a local cloud, ask one question, print the answer and its trace",
        "local": "the same, kept running; edit the agent and ask again",
    },
    "Layers": {
        "build-layers": "build the two layers from their locks",
        "check-layers": "run every check on the built layers",
        "lock-layers": "resolve the layers' requirements and write the locks",
    },
    "Deploy to AWS": {
        "deploy": "build, check the account, write the Langfuse secret and deploy",
        "status": "show what is deployed, its options, alarms and last errors",
        "destroy": "delete the stack, its logs and its conversations",
        "put-secret": "write the Langfuse keys to Secrets Manager",
        "cdk": "run the pinned CDK CLI: synth, diff, bootstrap, …",
        "check-stack": "check the stack with your resources: cdk-nag and cfn-lint",
    },
    "Use and monitor it": {
        "invoke": "ask the deployed agent a question",
        "evaluate": "ask every item of a data set, score the answers, record them in Langfuse",
        "logs": "show or follow the function's log",
        "replay-traces": "send traces again that the function wrote to its log",
    },
    "Develop": {
        "test": "run the tests that need no AWS account",
        "lint": "check format, style, types and import contracts",
        "format": "format the code",
        "check": "run lint, the lock check and the tests, as CI does",
        "clean-cache": "delete downloaded and compiled wheels and unpacked layers",
        "bench": "measure, and compare with other solutions",
    },
}
"""The commands of `pyproject.toml` in groups, with one line each."""


def main() -> int:
    """Print the commands in groups."""
    width = max(len(name) for group in GROUPS.values() for name in group)
    for title, commands in GROUPS.items():
        OUT.print(f"\n{title}", style="bold")
        for name, description in commands.items():
            OUT.print(f"  hatch run {name:{width}}  {description}", **PLAIN)
    OUT.print("\nEach command describes its options with --help. Documentation: docs/", **PLAIN)
    return 0


if __name__ == "__main__":
    run(main)
