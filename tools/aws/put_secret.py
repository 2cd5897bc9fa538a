"""Writes the Langfuse keys to Secrets Manager: `hatch run put-secret`.

They come from the environment, from `.env`, or from a prompt, and are never shown.
"""

import argparse
import getpass
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import dotenv
from botocore.exceptions import ClientError

from tools.aws import account
from tools.command import Failure, run
from traced_agent.settings import Settings

KEYS = Settings.variables("langfuse_public_key") + Settings.variables("langfuse_secret_key")
DOTENV = Path(__file__).parents[2] / ".env"


def main(arguments: Sequence[str] | None = None) -> None:
    """Create the secret, or change its value."""
    parser = argparse.ArgumentParser(prog="put-secret", description=__doc__)
    parser.add_argument("--name", default=account.SECRET, help="the secret's name (default: %(default)s)")
    parser.add_argument("--region", help="where (default: AWS_REGION, else us-east-1)")
    options = parser.parse_args(arguments)
    region = account.region(options.region)
    arn, done = put(account.client("secretsmanager", region), options.name, asked(given()))
    print(f"{done} {arn}")
    if options.name != account.SECRET:
        print(f"Deploy with -c langfuse_secret={options.name}")


def given(environ: Mapping[str, str] = os.environ, file: Path = DOTENV) -> dict[str, str]:
    """The keys that the environment or else the file sets; empty ones are none."""
    said = desk(environ, file)
    return {key: value for key in KEYS if (value := said.get(key, "").strip())}


def desk(environ: Mapping[str, str] = os.environ, file: Path = DOTENV) -> dict[str, str]:
    """The environment, and what the file says of Langfuse where the environment does not."""
    said = dotenv.dotenv_values(file)
    of_langfuse = {name: value for name, value in said.items() if value and name.startswith("LANGFUSE_")}
    return {**environ, **{name: value for name, value in of_langfuse.items() if not environ.get(name)}}


def asked(
    keys: Mapping[str, str],
    prompt: Callable[[str], str] = getpass.getpass,
    interactive: Callable[[], bool] = sys.stdin.isatty,
) -> dict[str, str]:
    """All the keys; those not given are asked for, without echo.

    Raises:
        Failure: nobody is there to be asked, or the answer is empty.
    """
    missing = [key for key in KEYS if key not in keys]
    if missing and not interactive():
        raise Failure(f"{' and '.join(missing)} not set: put them into the environment or into .env")
    answers = {key: prompt(f"{key}: ").strip() for key in missing}
    if empty := [key for key, answer in answers.items() if not answer]:
        raise Failure(f"{empty[0]} is empty: find it in Langfuse under Settings, API Keys")
    return {**keys, **answers}


def put(secrets: Any, name: str, keys: Mapping[str, str]) -> tuple[str, str]:
    """Make the secret `name` hold the keys; its ARN, and what was done.

    Raises:
        Failure: it may not be read or written.
    """
    value = json.dumps({key: keys[key] for key in KEYS})
    try:
        with account.explained():
            return _put(secrets, name, value)
    except ClientError as error:
        raise Failure(f"the secret {name} was not written: {error}") from None


def _put(secrets: Any, name: str, value: str) -> tuple[str, str]:
    try:
        present = secrets.get_secret_value(SecretId=name)
    except ClientError as error:
        if account.code(error) != "ResourceNotFoundException":
            raise
        created = secrets.create_secret(
            Name=name, SecretString=value, Description="Langfuse's keys for the traced agent"
        )
        return created["ARN"], "Created"
    if present.get("SecretString") == value:
        return present["ARN"], "Unchanged:"
    secrets.put_secret_value(SecretId=name, SecretString=value)
    return present["ARN"], "Updated"


if __name__ == "__main__":
    run(main)
