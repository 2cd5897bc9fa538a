"""What to do about the violations of each check."""

_BUILD = "delete the layer's folder `build` and run `hatch run build-layers`"
_EXCLUDE = "if the function does not need the file, add its path to the layer's exclude.txt"

REMEDIES = {
    "layout": _BUILD,
    "wheels": _BUILD,
    "versions": _BUILD,
    "record": _BUILD,
    "licences": f"{_BUILD}, or require another version in requirements.in",
    "machine": f"require a version with a wheel for the architecture in requirements.in; {_EXCLUDE}",
    "bytecode": _BUILD,
    "duplicates": f"run `hatch run lock-layers`; {_EXCLUDE}",
    "closure": "correct requirements.in and run `hatch run lock-layers`",
    "glibc": "require an older version in requirements.in and run `hatch run lock-layers`",
    "clients": "correct the call or botocore-services.txt, and run `hatch run build-layers`",
    "size": f"require less in requirements.in; {_EXCLUDE}",
    "imports": "correct the import, or add the missing package to a requirements.in",
}
