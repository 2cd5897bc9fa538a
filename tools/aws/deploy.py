"""Deploys the stack: builds the layers, checks the account, writes the Langfuse secret and runs `cdk deploy`.

Shows which options differ from the deployed ones. Changes that widen access or delete data need a
confirmation: an answer, --yes, or the key in cdk.json. Further arguments are passed to `cdk deploy`.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.prompt import Prompt

import layers
from tools import user_environment
from tools.aws import assembly, cdk, changes, checks, conversations, langfuse_project, put_secret, stacks
from tools.aws.account import Account
from tools.aws.arguments import Target, cli_arguments, context_arguments, parser, target
from tools.aws.assembly import StackPlan
from tools.aws.stacks import DeployedStack
from tools.command import ERR, OUT, PLAIN, Failure, run

EXAMPLE = "hatch run deploy -c auth=iam -c alarm_email=on-call@example.com"


def main(arguments: Sequence[str] | None = None) -> int:
    """Check, confirm, write the secret, deploy, and print how to call what was deployed."""
    made = parser("deploy", __doc__ or "", EXAMPLE)
    made.add_argument("--yes", action="store_true", help="confirm changes that widen access or delete data")
    options, others = made.parse_known_args(arguments)
    environ = user_environment.read()
    keys = put_secret.keys_of(environ)
    with target(options, environ) as planned, tempfile.TemporaryDirectory(prefix="assembly-") as folder:
        with ERR.status("Checking the account …"):
            check(planned, options.profile, environ)
        secret = use_default_secret(planned, keys)
        added = context(planned, keys, default_secret=secret)
        variables = {**environ, "CDK_DEFAULT_REGION": planned.plan.region}
        described = assembly.describe(planned.folder, [*context_arguments(options), *added], variables)
        plans = [described.select(options.agent)] if options.agent else described.stacks
        deployed = {plan.name: stacks.find(planned.account.client, plan.name) for plan in plans}
        for plan in plans:
            stacks.check_state(deployed[plan.name], cli_arguments(options))
            _confirm(plan, deployed[plan.name], planned.account, yes=options.yes)
        _build_layers(planned.plan.options.get("architecture", layers.ARCHITECTURE))
        with ERR.status("Synthesizing the stack …"):
            synthesized = assembly.synthesize(Path(folder), [*cli_arguments(options), *added], environ)
        if secret and keys:
            put_secret.put(planned.account.client("secretsmanager"), planned.plan.default_secret, keys)
        outputs = _deploy(synthesized.folder, plans, [*others, *_profile(options.profile)], environ)
        if outputs is None:
            return 1
        for plan in plans:
            conversations.delete_orphan(planned.account, deployed[plan.name], outputs.get(plan.name, {}))
            if outputs.get(plan.name):
                OUT.print(
                    ready(outputs[plan.name], plan, _invoke_options(options, plan, synthesized)), **PLAIN
                )
    return 0


def check(planned: Target, profile: str | None, environ: Mapping[str, str]) -> None:
    """Find what would fail half-way: credentials, bootstrap, state of the stack, model, named secrets."""
    client, plan = planned.account.client, planned.plan
    checks.check_account(client, plan, profile)
    stacks.check_state(stacks.find(client, plan.name))
    if not environ.get("AWS_ENDPOINT_URL"):  # an emulator does not know Bedrock's models
        checks.check_model(client, plan.options["model_id"], plan.region)
    checks.check_secrets(client, plan.options)


def use_default_secret(planned: Target, keys: Mapping[str, str]) -> bool:
    """Whether the function reads the stack's default secret, which exists or will be written."""
    if planned.plan.options.get("otlp_endpoint") or planned.plan.options.get("langfuse_secret"):
        return False
    if keys or checks.secret_exists(planned.account.client, planned.plan.default_secret):
        return True
    ERR.print(
        "No Langfuse keys are set and no secret exists: the function will run untraced. To trace it, set "
        "LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY in the environment or in .env.",
        **PLAIN,
    )
    return False


def context(planned: Target, keys: Mapping[str, str], *, default_secret: bool) -> list[str]:
    """The context arguments that the command adds: the default secret and the Langfuse project."""
    plan = planned.plan
    name = plan.default_secret if default_secret else plan.secret
    if not name:
        return []
    if not (default_secret and keys):
        keys = put_secret.stored(planned.account.client("secretsmanager"), name)
    with ERR.status("Checking Langfuse …"):
        project = langfuse_project.context(planned, keys)
    return [*project, *(["-c", "default_secret=true"] if default_secret else [])]


def _build_layers(architecture: str) -> None:
    words = [] if architecture == layers.ARCHITECTURE else ["--architecture", architecture]
    command = [sys.executable, "-m", "tools.build_layers", "build", *words]
    if subprocess.run(command, check=False, cwd=cdk.ROOT).returncode:
        raise Failure("the layers could not be built: see above")


def _confirm(plan: StackPlan, deployed: DeployedStack | None, account: Account, *, yes: bool) -> None:
    found = _changes(plan, deployed, account)
    if deployed and found:
        ERR.print(changes.table(found))
    if not yes:
        changes.confirm(
            found,
            stack=plan.name,
            in_cdk_json=_cdk_json(),
            prompt=lambda question: Prompt.ask(question, console=ERR),
            interactive=sys.stdin.isatty(),
        )


def _changes(plan: StackPlan, deployed: DeployedStack | None, account: Account) -> list[changes.Change]:
    if deployed:
        options = deployed.record.get("options")
        return changes.compare(options, plan.options) if options else []
    is_default_agent = plan.name == plan.options["stack_name"]
    others = stacks.similar(account.client, plan) if is_default_agent else []
    consequence = "a second stack is created, and the deployed one stays as it is"
    return [changes.Change("stack_name", other, plan.name, consequence) for other in others[:1]]


def _cdk_json() -> Mapping[str, Any]:
    context: dict[str, Any] = json.loads((cdk.ROOT / "cdk.json").read_bytes()).get("context", {})
    return context


def _profile(profile: str | None) -> list[str]:
    return ["--profile", profile] if profile else []


def _deploy(
    folder: Path, plans: Sequence[StackPlan], arguments: Sequence[str], environ: Mapping[str, str]
) -> dict[str, dict[str, str]] | None:
    """Run `cdk deploy` on the assembly; the outputs by stack, or None if it failed."""
    approval = [] if "--require-approval" in " ".join(arguments) else ["--require-approval", "never"]
    file = folder / "outputs.json"
    names = [plan.name for plan in plans]
    command = cdk.command(
        "deploy",
        *names,
        "--app",
        str(folder),
        "--no-notices",
        *approval,
        "--outputs-file",
        str(file),
        *arguments,
    )
    if subprocess.run(command, check=False, cwd=cdk.ROOT, env=cdk.environment(environ)).returncode:
        return None
    outputs: dict[str, dict[str, str]] = json.loads(file.read_bytes()) if file.exists() else {}
    return outputs


def _invoke_options(options: Any, plan: StackPlan, synthesized: assembly.Assembly) -> str:
    words = [word for word in cli_arguments(options) if word]
    if plan.agent != synthesized.stacks[0].agent:
        words += ["--agent", plan.agent]
    return "".join(f" {word}" for word in words)


def ready(outputs: Mapping[str, str], plan: StackPlan, options: str = "") -> str:
    """How to call what was deployed, ready to be pasted."""
    curl = ["curl", outputs["FunctionUrl"], "-H 'Content-Type: application/json'"]
    if plan.options["auth"] == "iam":
        curl += [
            f"--aws-sigv4 aws:amz:{plan.region}:lambda",
            '--user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"',
            '-H "X-Amz-Security-Token: $AWS_SESSION_TOKEN"',
        ]
    elif plan.options["auth"] == "jwt":
        curl.append('-H "Authorization: Bearer $TOKEN"')
    return (
        f"\nFunction URL: {outputs['FunctionUrl']}\n\n"
        + " ".join([*curl, """-d '{"query": "What is 2+2?"}'"""])
        + f'\nhatch run invoke{options} "What is 2+2?"'
    )


if __name__ == "__main__":
    run(main)
