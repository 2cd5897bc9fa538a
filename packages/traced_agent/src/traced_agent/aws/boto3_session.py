"""The one way to AWS."""

import contextlib
import functools
import gzip
import re
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import boto3
import botocore.session
from botocore.exceptions import DataNotFoundError
from botocore.loaders import JSONFileLoader, Loader
from pydantic_core import from_json

from traced_agent.aws.idle_connections import detect_lost_connections
from traced_agent.settings import SettingsError, is_url

_ENDPOINTS = ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS_ENDPOINT_URL")
"""https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html"""


def check_endpoint(environ: Mapping[str, str]) -> None:
    """Check the addresses that the SDK calls in place of AWS; its own errors do not name the variable.

    Raises:
        SettingsError: one is not an address.
    """
    for name in _ENDPOINTS:
        value = environ.get(name, "")
        if value and (not is_url(value) or re.search(r"\s", value)):
            raise SettingsError(
                f"{name} must be an address such as https://bedrock-runtime.us-east-1.amazonaws.com"
            )


class SharedSession(boto3.Session):  # type: ignore[misc]
    """A session that knows its clients, so that their idle connections can be closed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.clients: weakref.WeakSet[Any] = weakref.WeakSet()

    def client(self, *args: Any, **options: Any) -> Any:
        """Create a client, as boto3 does."""
        create = super().client  # The check of slim layers expects a literal service in `….client(…)`.
        client = create(*args, **options)
        self.clients.add(client)
        detect_lost_connections(client)
        return client


@functools.cache
def shared_session(region: str) -> SharedSession:
    """The session that every client is made from: a second one would cost as much as fifteen clients.

    Its region is the model's; a client of anything else says its own. With the loader below, the first client
    takes half of its time.
    """
    core = botocore.session.get_session()
    if not core.get_config_variable("data_path"):
        core.register_component("data_loader", SingleServiceLoader(file_loader=PlainJsonLoader()))
    return SharedSession(region_name=region, botocore_session=core)


class PlainJsonLoader(JSONFileLoader):  # type: ignore[misc]
    """Reads botocore's data into plain dicts with pydantic's parser, in a third of the time.

    Plain dicts keep the order of keys too. The endpoints alone are 1.2 MB of JSON.
    """

    def load_file(self, file_path: str) -> Any:
        """The content of the file, compressed or not; None if there is no such file."""
        for suffix, opened in ((".json", open), (".json.gz", gzip.open)):
            with contextlib.suppress(FileNotFoundError), opened(file_path + suffix, "rb") as file:
                return from_json(file.read())
        return None


class SingleServiceLoader(Loader):  # type: ignore[misc]
    """botocore's loader, but it reads only the folder of the requested service, not those of all 400.

    Its results equal botocore's.
    """

    def list_available_services(self, type_name: str) -> Sequence[str]:
        """The names of the services that have such a file."""
        listed = functools.partial(super().list_available_services, type_name)
        return _Services(listed, functools.partial(self._has, type_name))

    def _has(self, type_name: str, service: object) -> bool:
        try:
            return bool(self.list_api_versions(service, type_name))
        except DataNotFoundError:
            return False


class _Services(Sequence[str]):
    """All services; they are listed only if more than a membership test is needed."""

    def __init__(self, listed: Callable[[], list[str]], has: Callable[[object], bool]) -> None:
        self._listed = listed
        self._has = has

    def __contains__(self, service: object) -> bool:
        return self._has(service)

    def __getitem__(self, index: Any) -> Any:
        return self._listed()[index]

    def __len__(self) -> int:
        return len(self._listed())
