"""Reads a deployed function back over the AWS API, its code and layers included, and unpacks it."""

import base64
import contextlib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools import archives
from tools.build_layers.layer_tree import unpack
from tools.local.control_plane.server import ACCOUNT, ControlPlane, fetch
from tools.local.runtime.function import Cors, Function


@dataclass(frozen=True)
class Deployed:
    """A function in the control plane, and the folder for its code and layers."""

    plane: ControlPlane
    name: str
    stack_name: str
    directory: Path
    """Where to unpack; the caller removes it."""

    def read(self, environment: Mapping[str, str]) -> Function:
        """The function, its bytes downloaded from the control plane; `environment` is added to its own."""
        url = self._url()
        qualifier = self._qualifier(url["FunctionUrl"])
        version = {"Qualifier": qualifier} if qualifier else {}
        found = self.plane.client("lambda").get_function(FunctionName=self.name, **version)
        config = found["Configuration"]
        logging = config.get("LoggingConfig", {})
        return Function(
            code=self._code(found["Code"]["Location"], config["CodeSha256"]),
            opt=self._layers([layer["Arn"] for layer in config.get("Layers", [])]),
            handler=config["Handler"],
            environment={**config.get("Environment", {}).get("Variables", {}), **environment},
            name=self.name,
            version=config["Version"],
            region=self.plane.region,
            account=ACCOUNT,
            timeout_s=config["Timeout"],
            memory_mb=config["MemorySize"],
            reserved_concurrency=self._properties().get("ReservedConcurrentExecutions"),
            json_logs=logging.get("LogFormat") == "JSON",
            log_level=logging.get("ApplicationLogLevel", "INFO"),
            log_group=logging.get("LogGroup", ""),
            snapstart=config.get("SnapStart", {}).get("ApplyOn") == "PublishedVersions",
            xray=config.get("TracingConfig", {}).get("Mode") == "Active",
            streaming=url.get("InvokeMode") == "RESPONSE_STREAM",
            auth="iam" if url["AuthType"] == "AWS_IAM" else "none",
            cors=_cors(url["Cors"]) if url.get("Cors") else None,
        )

    def update(self, code_zip: bytes) -> None:
        """Give the function other code."""
        self.plane.client("lambda").update_function_code(FunctionName=self.name, ZipFile=code_zip)

    def code_zip(self) -> bytes:
        """The code that is deployed."""
        return fetch(self.plane.client("lambda").get_function(FunctionName=self.name)["Code"]["Location"])

    def _url(self) -> dict[str, Any]:
        urls = self.plane.client("lambda").list_function_url_configs(FunctionName=self.name)
        found: dict[str, Any] = urls["FunctionUrlConfigs"][0]
        return found

    def _qualifier(self, url: str) -> str:
        """The version of the URL's alias, which MiniStack's ARN does not contain; empty without an alias."""
        client = self.plane.client("lambda")
        for alias in client.list_aliases(FunctionName=self.name)["Aliases"]:
            with contextlib.suppress(client.exceptions.ResourceNotFoundException):
                of = client.get_function_url_config(FunctionName=self.name, Qualifier=alias["Name"])
                if of["FunctionUrl"] == url:
                    return str(alias["FunctionVersion"])
        return ""

    def _properties(self) -> dict[str, Any]:
        """The function's properties in the template: MiniStack's API omits the reserved concurrency."""
        template = self.plane.client("cloudformation").get_template(StackName=self.stack_name)["TemplateBody"]
        functions = [of for of in template["Resources"].values() if of["Type"] == "AWS::Lambda::Function"]
        return next((of["Properties"] for of in functions if of["Properties"].get("Layers")), {})

    def _code(self, location: str, sha256: str) -> Path:
        target = self.directory / hashlib.sha256(sha256.encode()).hexdigest()[:16]
        if not target.exists():
            archives.extract(self._kept(location, f"{target.name}.zip"), target)
        return target

    def _layers(self, arns: list[str]) -> Path | None:
        client = self.plane.client("lambda")
        zips = []
        for arn in arns:
            content = client.get_layer_version_by_arn(Arn=arn)["Content"]
            name = base64.b64decode(content["CodeSha256"]).hex()[:16]
            zips.append(self._kept(content["Location"], f"layer-{name}.zip"))
        return unpack(zips) if zips else None

    def _kept(self, location: str, name: str) -> Path:
        target = self.directory / name
        if not target.exists():
            self.directory.mkdir(parents=True, exist_ok=True)
            target.write_bytes(fetch(location))
        return target


def _cors(config: Mapping[str, Any]) -> Cors:
    return Cors(
        allow_origins=tuple(config.get("AllowOrigins", ())),
        allow_methods=tuple(config.get("AllowMethods", ())),
        allow_headers=tuple(config.get("AllowHeaders", ())),
        expose_headers=tuple(config.get("ExposeHeaders", ())),
        max_age_s=config.get("MaxAge", 0),
        allow_credentials=config.get("AllowCredentials", False),
    )
