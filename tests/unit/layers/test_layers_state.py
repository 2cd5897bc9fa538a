import json
from importlib.metadata import distributions

import pytest
from packaging.utils import canonicalize_name

import layers
from layers import Layer
from tools import wheels


@pytest.fixture
def stack(tmp_path):
    """Two layers as a build and its checks leave them."""
    made = [Layer(name, tmp_path / name) for name in ("strands", "langfuse")]
    for layer in made:
        layer.zip.parent.mkdir(parents=True)
        layer.lock.write_text(f"{layer.name}==1.0\n")
        layer.zip.write_bytes(layer.name.encode())
        rewrite(layer, inputs=layer.digest(), digest=layers.sha256(layer.zip))
    for layer in made:
        rewrite(layer, checked=layers.digests(made))
    return made


def rewrite(layer, **changes):
    layer.manifest.write_text(json.dumps({**layer.read_manifest(), **changes}))


def test_a_built_current_and_checked_layer_has_no_problem(stack):
    assert [layers.undeployable_reason(layer, stack) for layer in stack] == [None, None]


@pytest.mark.parametrize("lacks", ["zip", "manifest"])
def test_a_layer_not_built_names_the_command(stack, lacks):
    getattr(stack[0], lacks).unlink()
    assert (
        layers.undeployable_reason(stack[0], stack)
        == "layers/strands is not built: run `hatch run build-layers`"
    )


def test_a_manifest_that_is_not_json_means_not_built(stack):
    stack[0].manifest.write_text("{")
    assert (
        layers.undeployable_reason(stack[0], stack)
        == "layers/strands is not built: run `hatch run build-layers`"
    )


def test_a_changed_lock_makes_the_layer_stale(stack):
    stack[0].lock.write_text("strands==1.1\n")
    assert layers.undeployable_reason(stack[0], stack) == (
        "layers/strands is stale, its lock has changed since: run `hatch run build-layers`"
    )


def test_a_changed_choice_of_services_makes_the_layer_stale(stack):
    (stack[0].directory / "botocore-services.txt").write_text("bedrock-runtime\n")
    assert "stale" in layers.undeployable_reason(stack[0], stack)


def test_line_ends_do_not_make_a_layer_stale(stack):
    stack[0].lock.write_bytes(b"strands==1.0\r\n")
    assert layers.undeployable_reason(stack[0], stack) is None


def test_one_changed_byte_of_the_zip_is_noticed(stack):
    stack[0].zip.write_bytes(b"strandz")
    assert layers.undeployable_reason(stack[0], stack) == (
        "layers/strands is not what was built, its zip has changed: run `hatch run build-layers`"
    )


def test_a_layer_that_did_not_pass_its_checks_must_not_be_deployed(stack):
    rewrite(stack[0], checked=None)
    assert layers.undeployable_reason(stack[0], stack) == (
        "layers/strands has not passed its checks: run `hatch run check-layers`"
    )


def test_a_layer_is_checked_again_when_another_layer_has_changed(stack):
    rewrite(stack[1], digest=layers.sha256(stack[0].zip))
    assert layers.stale_reason(stack[0]) is None
    assert "has not passed its checks" in layers.undeployable_reason(stack[0], stack)


def test_services_are_read_from_their_file(stack):
    listed = stack[0].directory / "botocore-services.txt"
    assert stack[0].services == ()
    listed.write_text("# for tools\ns3  # files\n\nbedrock-runtime\ns3\n")
    assert stack[0].services == ("bedrock-runtime", "s3")


def test_the_environment_has_the_versions_of_the_locks():
    """The environment is constrained to the locks when it is made; `hatch env prune` makes it again."""
    locked = {
        pin.name: pin.version
        for layer in layers.LAYERS
        for pin in wheels.read_lock(layer.lock.read_text()).values()
    }
    here = {canonicalize_name(found.name): found.version for found in distributions()}
    shared = locked.keys() & here.keys()
    assert {"strands-agents", "langfuse", "botocore", "opentelemetry-sdk"} <= shared
    assert {name: here[name] for name in shared} == {name: locked[name] for name in shared}
