"""Starts the function as Lambda's managed runtime does: `bootstrap.py <layers' directory>`.

Runs under the target interpreter, before the function: it imports nothing that the function would not find
imported on Lambda.
"""

import os
import sys

_RUNTIME = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib would be an import more
_STANDARD = [path for path in sys.path if "-packages" not in path and path != _RUNTIME]
_OPT = f"{sys.argv[1]}/python"

sys.path[:] = [
    os.environ["LAMBDA_TASK_ROOT"],
    f"{_OPT}/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages",
    _OPT,
    _RUNTIME,
    *_STANDARD,
]

if __name__ == "__main__":
    # The same name as in AWS's runtime: monitoring SDKs look for `__main__.awslambdaricmain`.
    import awslambdaric.__main__ as awslambdaricmain

    awslambdaricmain.main(["bootstrap", os.environ["_HANDLER"]])
