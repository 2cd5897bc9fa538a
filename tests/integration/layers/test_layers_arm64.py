"""Layers for arm64 are built from the same locks, beside those for x86_64."""

import json
import struct

import pytest

import layers
from layers import Layer
from tools import wheels
from tools.build_layers.building.build import build
from tools.build_layers.checks.candidate import Candidate
from tools.build_layers.checks.layer_contents import read_layer
from tools.build_layers.checks.run import CHECKS, check_layers
from tools.command import Failure

AARCH64, X86_64 = 183, 62


def elf(machine):
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    return header + struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 0, 0, 0, 64, 0, 0, 0, 0, 0)


@pytest.fixture
def locked(index, make_stack):
    """A layer of one wheel for each architecture and one of pure Python; gives it for both."""
    hashes = []
    for name, machine in (("x86_64", X86_64), ("aarch64", AARCH64)):
        wheel = index.add(
            "native",
            "1.0",
            tag=f"cp313-cp313-manylinux2014_{name}",
            files={f"native.cpython-313-{name}-linux-gnu.so": elf(machine)},
        )
        hashes.append(wheels.download.sha256(wheel))
    index.add("pure", "1.0")
    (layer,) = make_stack(strands="native>=1.0\npure>=1.0")
    native = " \\\n    ".join(["native==1.0", *(f"--hash=sha256:{digest}" for digest in hashes)])
    layer.lock.write_text(f"{native}\n{index.pin('pure', '1.0')}")
    return layer, Layer(layer.name, layer.directory, "arm64")


def machine_findings(layer):
    return list(CHECKS["machine"](Candidate([read_layer(layer)])))


def test_each_architecture_has_its_own_build_and_pure_wheels_are_shared(locked, tmp_path):
    x86_64, arm64 = locked
    for layer in locked:
        build([layer], store=tmp_path / "store")
        assert machine_findings(layer) == []
        assert layers.stale_reason(layer) is None
    assert x86_64.zip == x86_64.directory / "build" / "layer.zip"
    assert arm64.zip == x86_64.directory / "build" / "arm64" / "layer.zip"
    platforms = [json.loads(layer.manifest.read_text())["platform"] for layer in locked]
    assert platforms == ["manylinux2014_x86_64", "manylinux2014_aarch64"]
    assert len(list((tmp_path / "store").glob("compiled/*/*"))) == 3


def test_the_machine_code_of_the_other_architecture_is_a_violation(locked, tmp_path):
    x86_64, arm64 = locked
    build([x86_64], store=tmp_path / "store")
    arm64.zip.parent.mkdir(parents=True)
    arm64.zip.write_bytes(x86_64.zip.read_bytes())
    assert machine_findings(arm64) == [
        "strands: native.cpython-313-x86_64-linux-gnu.so is EM_X86_64, not an ELF for arm64"
    ]


def test_a_locked_version_without_a_wheel_for_the_architecture_is_named(index, make_stack, tmp_path):
    index.add("native", "1.0", tag="cp313-cp313-manylinux2014_x86_64")
    (layer,) = make_stack(strands="native>=1.0")
    layer.lock.write_text(index.pin("native", "1.0"))
    arm64 = Layer(layer.name, layer.directory, "arm64")
    with pytest.raises(Failure, match=r"no wheel of native==1.0 for CPython 3.13 on manylinux2014_aarch64"):
        build([arm64], store=tmp_path / "store")


def test_imports_are_not_run_on_another_architecture(locked, tmp_path):
    _, arm64 = locked
    build([arm64], store=tmp_path / "store")
    report = check_layers([arm64], handler=tmp_path, again=False, compiled=["strands"])
    assert report.skipped == {"imports": "it runs the layers' machine code, which needs Linux on aarch64"}


def test_an_unbuilt_layer_names_the_command_with_the_architecture(locked):
    assert layers.undeployable_reason(locked[1], [locked[1]]) == (
        "layers/strands is not built: run `hatch run build-layers --architecture arm64`"
    )


def test_the_catalogue_has_the_layers_for_each_architecture():
    assert layers.for_architecture("x86_64") == layers.LAYERS
    assert [layer.platform for layer in layers.for_architecture("arm64")] == ["manylinux2014_aarch64"] * 2
