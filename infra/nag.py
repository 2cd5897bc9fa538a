"""The app with cdk-nag's AWS Solutions checks: `hatch run check-stack` runs it."""

import os
import sys
from pathlib import Path

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from infra import app as stack_app
from infra import resources


def main() -> int:
    """Synthesize the stacks with the owner's resources; a finding is an error."""
    app = App(stack_traces=False)
    try:
        foreign = stack_app.user_context(Path.home() / ".cdk.json")
        stack_app.build(app, os.environ, add_resources=resources.add, foreign=foreign)
    except stack_app.ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    app.synth()
    return 0


if __name__ == "__main__":
    sys.exit(main())
