"""Records what the layers' libraries compile while they are imported: `layers/precompiled.json`.

The function's asset has the results. After an upgrade of the layers an old record is not wrong: what it does
not have is compiled in the function, which starts later.
"""

import tempfile
from pathlib import Path

import layers
from layers import function_asset
from tools.build_layers import target_process
from tools.build_layers.layer_tree import unpack
from tools.build_layers.target_scripts import record_inputs
from tools.command import OUT, Failure, run
from traced_agent.settings import Settings

_ENVIRONMENT = {
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    Settings.variables("langfuse_public_key")[0]: "pk-lf-record",
    Settings.variables("langfuse_secret_key")[0]: "sk-lf-record",
}
"""Tracing is on, and nothing is sent: the function is only imported."""


def main() -> int:
    """Write the record; the layers must be built."""
    function_asset.INPUTS.write_text(inputs(function_asset.DEFAULT_AGENT), "utf-8")
    OUT.print(f"{function_asset.INPUTS.name} is written: commit it with the locks.")
    return 0


def inputs(agent: Path) -> str:
    """What the built layers and an agent's source tree compile while the function is imported, as JSON.

    Raises:
        Failure: the layers are not built, or the function cannot be imported.
    """
    if reason := next(filter(None, map(layers.stale_reason, layers.LAYERS)), None):
        raise Failure(reason)
    opt = unpack([layer.zip for layer in layers.LAYERS])
    with tempfile.TemporaryDirectory() as name:
        function_asset.assemble(agent, code := Path(name))
        (code / function_asset.TABLE).unlink()
        arguments = (str(code), str(opt / "python"), function_asset.ENTRY)
        return target_process.run(record_inputs, *arguments, environment=_ENVIRONMENT)


if __name__ == "__main__":
    run(main)
