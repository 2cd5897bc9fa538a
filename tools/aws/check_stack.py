"""Checks the stack, with the resources of infra/resources.py: cdk-nag's AWS Solutions checks, then cfn-lint.

Needs built layers and no AWS account.
"""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools import user_environment
from tools.aws import assembly, cdk
from tools.aws.arguments import cli_arguments, parser
from tools.command import OUT, PLAIN, run

EXAMPLE = "hatch run check-stack -c sessions=true"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the findings; 1 if there are any."""
    options = parser("check-stack", __doc__ or "", EXAMPLE, agent=False).parse_args(arguments)
    environ = user_environment.read()
    with tempfile.TemporaryDirectory(prefix="assembly-") as folder:
        words = ["synth", "--quiet", "--no-notices", "--output", folder, *cli_arguments(options)]
        command = cdk.command(*words, app="infra.nag")
        if subprocess.run(command, check=False, cwd=cdk.ROOT, env=cdk.environment(environ)).returncode:
            return 1
        stacks = assembly.read(Path(folder)).stacks
        findings = [
            finding
            for stack in stacks
            for finding in lint(Path(folder) / f"{stack.name}.template.json", stack.region)
        ]
    for finding in findings:
        OUT.print(finding, **PLAIN)
    if not findings:
        OUT.print(f"cdk-nag and cfn-lint found nothing in {', '.join(stack.name for stack in stacks)}")
    return 1 if findings else 0


def lint(template: Path, region: str) -> list[str]:
    """What cfn-lint finds in a template."""
    from cfnlint.api import ManualArgs, lint_file  # noqa: PLC0415 - it takes seconds to import

    return [str(match) for match in lint_file(template, config=ManualArgs(regions=[region]))]


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    run(main)
