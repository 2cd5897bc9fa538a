"""Writes the Langfuse keys to Secrets Manager.

The keys are read from the environment, from `.env`, or from a prompt, and are never shown. Langfuse is asked
for their project first. If it does not answer, a warning is printed, and the keys are still written.
"""

import getpass
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from tools import user_environment
from tools.aws import account, langfuse_project
from tools.aws.arguments import parser, target
from tools.command import ERR, Failure, run
from traced_agent.settings import Settings

KEYS = Settings.variables("langfuse_public_key") + Settings.variables("langfuse_secret_key")
EXAMPLE = "hatch run put-secret --name my/langfuse"


def main(arguments: Sequence[str] | None = None) -> None:
    """Create the secret, or change its value."""
    made = parser("put-secret", __doc__ or "", EXAMPLE, agent=False)
    made.add_argument("--name", help="the secret's name (default: the secret that the stack reads)")
    options = made.parse_args(arguments)
    with target(options) as found:
        plan = found.plan
        name = options.name or plan.secret or plan.default_secret
        keys = complete(given())
        with ERR.status("Checking the keys …"):
            report = langfuse_project.check(plan.options["langfuse_host"], *(keys[key] for key in KEYS))
        langfuse_project.show(report.warnings)
        arn, result = put(found.account.client("secretsmanager"), name, keys)
    print(f"{result} {arn}")
    if report.project_id:
        print(f"The keys belong to the Langfuse project {report.project_id}")
    if name not in (plan.secret, plan.default_secret):
        print(f"Deploy with -c langfuse_secret={name}")


def given(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The keys that the environment or else `.env` sets; empty ones are left out."""
    environ = user_environment.read() if environ is None else environ
    return {key: value for key in KEYS if (value := environ.get(key, "").strip())}


def keys_of(environ: Mapping[str, str]) -> dict[str, str]:
    """Both keys, or none if one is missing."""
    found = given(environ)
    return found if len(found) == len(KEYS) else {}


def complete(
    keys: Mapping[str, str],
    prompt: Callable[[str], str] = getpass.getpass,
    interactive: Callable[[], bool] = sys.stdin.isatty,
) -> dict[str, str]:
    """All the keys; a prompt without echo asks for those that are missing.

    Raises:
        Failure: there is no terminal to ask on, or the answer is empty.
    """
    missing = [key for key in KEYS if key not in keys]
    if missing and not interactive():
        raise Failure(f"{' and '.join(missing)} not set: put them into the environment or into .env")
    answers = {key: _answer(prompt, f"{key}: ") for key in missing}
    if empty := [key for key, answer in answers.items() if not answer]:
        raise Failure(f"{empty[0]} is empty: find it in Langfuse under Settings, API Keys")
    return {**keys, **answers}


def _answer(prompt: Callable[[str], str], question: str) -> str:
    try:
        return prompt(question).strip()
    except EOFError:  # Ctrl-D
        return ""


def stored(secrets: Any, name: str) -> dict[str, str]:
    """The keys in the secret `name`; none if they cannot be read or one is missing."""
    try:
        with account.explained():
            value = json.loads(secrets.get_secret_value(SecretId=name).get("SecretString") or "")
    except (ClientError, ValueError):
        return {}
    fields = value.items() if isinstance(value, dict) else ()
    return keys_of({name: text for name, text in fields if isinstance(text, str)})


def put(secrets: Any, name: str, keys: Mapping[str, str]) -> tuple[str, str]:
    """Write the keys to the secret `name`; returns its ARN and what was done. Its other fields are kept.

    Raises:
        Failure: it cannot be read or written, or contains something other than a JSON object.
    """
    try:
        with account.explained():
            return _put(secrets, name, {key: keys[key] for key in KEYS})
    except ClientError as error:
        raise Failure(f"the secret {name} was not written: {error}") from None


def _put(secrets: Any, name: str, keys: Mapping[str, str]) -> tuple[str, str]:
    try:
        present = secrets.get_secret_value(SecretId=name)
    except ClientError as error:
        if account.code(error) != "ResourceNotFoundException":
            raise
        created = secrets.create_secret(
            Name=name,
            SecretString=json.dumps(keys),
            Description="The Langfuse keys of the traced agent",
        )
        return created["ARN"], "Created"
    fields = _fields(name, present)
    if fields == {**fields, **keys}:
        return present["ARN"], "Unchanged:"
    secrets.put_secret_value(SecretId=name, SecretString=json.dumps({**fields, **keys}))
    return present["ARN"], "Updated"


def _fields(name: str, secret: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an existing secret, which may contain other keys of the owner."""
    try:
        fields = json.loads(secret.get("SecretString") or "")
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        raise Failure(f"the secret {name} contains no JSON object, and is left as it is: use another name")
    return fields


if __name__ == "__main__":
    run(main)
