"""The joint lock is split by the resolver's graph; comments name what is in the layer or before it."""

from packaging.requirements import Requirement

from tools.build_layers.locking.lock_split import closure, lock_of

DEPENDENCIES = {
    "agent": ["shared"],
    "agent[extra-one,two]": ["agent", "optional"],
    "tracer": ["shared", "transport[grpc]"],
    "transport[grpc]": ["transport", "channel"],
}
HASH = "    --hash=sha256:" + 64 * "a"
JOINT = f"""\
agent==1.0 \\
{HASH}
    # via -r layers/strands/requirements.in
shared==2.0 \\
{HASH}
    # via
    #   -r layers/langfuse/requirements.in
    #   agent
    #   tracer
tracer==3.0 \\
{HASH}
    # via -r layers/langfuse/requirements.in
"""


def names(*requirements):
    return closure(DEPENDENCIES, map(Requirement, requirements))


def test_a_requirement_without_its_extra_does_not_need_what_the_extra_needs():
    assert names("agent>=1") == {"agent", "shared"}


def test_extras_are_found_in_any_order_and_spelling():
    assert names("Agent[two,Extra_One]>=1") == {"agent", "shared", "optional"}


def test_extras_of_indirect_dependencies_are_followed():
    assert names("tracer>=3") == {"tracer", "shared", "transport", "channel"}


def test_several_requirements_are_united():
    assert names("agent>=1", "tracer>=3") == {"agent", "shared", "tracer", "transport", "channel"}


def test_comments_name_only_what_the_layer_knows():
    lock = lock_of(JOINT, {"agent", "shared"}, ["layers/strands/requirements.in"])
    assert lock == (
        f"agent==1.0 \\\n{HASH}\n    # via -r layers/strands/requirements.in\n"
        f"shared==2.0 \\\n{HASH}\n    # via agent\n"
    )


def test_the_whole_lock_stays_as_it_is():
    sources = ["layers/strands/requirements.in", "layers/langfuse/requirements.in"]
    assert lock_of(JOINT, {"agent", "shared", "tracer"}, sources) == JOINT
