"""Where the function's process lives: in bubblewrap with Lambda's directories, or as a plain process.

Inside bubblewrap /var/task, /opt, /var/runtime and the interpreter are read-only, /tmp is empty and writable
and goes with the process, nothing of the user's home is there, and the variables are those that Lambda sets.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
"""

import functools
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import layers
from layers import interpreter
from tools.local.runtime import runtime_client
from tools.local.runtime.function import Function

TMP_BYTES = 512 * 1024 * 1024
"""The size of /tmp: Lambda's default ephemeral storage."""

_SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix")
_ETC = (
    *("alternatives", "ca-certificates", "host.conf", "hosts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d"),
    *("localtime", "mime.types", "nsswitch.conf", "pki", "resolv.conf", "ssl"),
)
_PASSWD = Path(__file__).with_name("passwd")
"""Lambda's user, so that libraries find a home directory. As on Lambda, the directory does not exist."""
_MOUNTED = ("/opt", "/var/task", "/var/runtime")
_WHERE = "import json, site, sys; print(json.dumps([sys.base_prefix, site.getsitepackages()]))"


@dataclass(frozen=True)
class Launch:
    """What starts a process: its words, its variables, its working directory."""

    argv: list[str]
    environ: dict[str, str]
    cwd: Path
    scratch: Path | None = None
    """A directory to remove with the process."""


def launch(function: Function, api: str, *, bubblewrap: bool | None = None) -> Launch:
    """How to start this function's process against the Runtime API at `api` (host:port)."""
    if available() if bubblewrap is None else bubblewrap:
        return _boxed(function, api)
    return _plain(function, api)


def start(launch: Launch, *, join: Callable[[], None] | None = None) -> "subprocess.Popen[bytes]":
    """Start the process in a group of its own; `join` is called in it before its program begins."""
    return subprocess.Popen(
        launch.argv,
        cwd=launch.cwd,
        env=launch.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        process_group=0,
        preexec_fn=join,  # noqa: PLW1509 - for who starts one process at a time
    )


@functools.cache
def available() -> bool:
    """Whether bubblewrap is there and may make namespaces; in some containers it may not."""
    if not shutil.which("bwrap"):
        return False
    tried = ["bwrap", *_box(), "true"]
    return subprocess.run(tried, check=False, capture_output=True).returncode == 0


def variables(function: Function, api: str, task: str, runtime_directory: str) -> dict[str, str]:
    """The environment that Lambda gives a function, its configured variables included."""
    found = {
        "AWS_ACCESS_KEY_ID": function.account,
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_SESSION_TOKEN": "local",
        **function.environment,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{layers.RUNTIME}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start" if function.snapstart else "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group or f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": f"local/[{function.version}]",
        "AWS_LAMBDA_RUNTIME_API": api,
        "AWS_REGION": function.region,
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": "169.254.100.1:2000",
        "LAMBDA_RUNTIME_DIR": runtime_directory,
        "LAMBDA_TASK_ROOT": task,
        "LANG": "en_US.UTF-8",
        "LD_LIBRARY_PATH": "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/task:/var/task/lib:/opt/lib",
        "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        "PYTHONPATH": runtime_directory,
        "TZ": ":UTC",
        "_AWS_XRAY_DAEMON_ADDRESS": "169.254.100.1",
        "_AWS_XRAY_DAEMON_PORT": "2000",
        "_HANDLER": function.handler,
    }
    if function.json_logs:
        found |= {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": function.log_level}
    return found


@functools.cache
def _interpreter() -> tuple[Path, Path, tuple[str, ...]]:
    """The target interpreter, its prefix and its site-packages, which the function must not see."""
    python = interpreter.target()
    asked = subprocess.run([python, "-I", "-c", _WHERE], capture_output=True, check=True)
    prefix, packages = json.loads(asked.stdout)
    return python, Path(prefix), tuple(path for path in packages if Path(path).is_dir())


def _box() -> list[str]:
    """What tells bubblewrap to make an empty machine with this one's system libraries and network."""
    argv = ["--die-with-parent", "--unshare-user", "--uid", "993", "--gid", "990"]
    argv += ["--unshare-pid", "--unshare-ipc", "--ro-bind", "/usr", "/usr"]
    for path in map(Path, _SYSTEM):
        if path.is_symlink():
            argv += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            argv += ["--ro-bind", str(path), str(path)]
    for name in _ETC:
        argv += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    argv += ["--ro-bind", str(_PASSWD), "/etc/passwd"]
    return [*argv, "--proc", "/proc", "--dev", "/dev", "--size", str(TMP_BYTES), "--tmpfs", "/tmp"]  # noqa: S108


def _boxed(function: Function, api: str) -> Launch:
    python, prefix, packages = _interpreter()
    place = interpreter_place(prefix)
    argv = ["bwrap", *_box(), "--ro-bind", str(prefix), str(place)]
    for path in packages:
        argv += ["--tmpfs", str(_moved(Path(path), prefix, place))]
    mounts = {"/var/task": function.code, "/var/runtime": runtime_client.directory(function.runtime)}
    if function.opt:
        mounts["/opt"] = function.opt
    for target, source in mounts.items():
        argv += ["--ro-bind", str(source), target]
    argv += [
        "--remount-ro",
        "/",
        "--chdir",
        "/var/task",
        "--",
        str(_moved(python, prefix, place)),
        "/var/runtime/bootstrap.py",
        "/opt",
    ]
    environ = variables(function, api, "/var/task", "/var/runtime")
    return Launch(argv, environ, Path("/"))


def interpreter_place(prefix: Path) -> Path:
    """Where the sandbox has the interpreter: where it is, unless Lambda's own directories would hide it.

    GitHub's runners have theirs under /opt. /var/lang is Lambda's place; LD_LIBRARY_PATH names its libraries.
    """
    hidden = any(prefix.is_relative_to(directory) for directory in _MOUNTED)
    return Path("/var/lang") if hidden else prefix


def _moved(path: Path, prefix: Path, place: Path) -> Path:
    return place / path.relative_to(prefix) if path.is_relative_to(prefix) else path


def _plain(function: Function, api: str) -> Launch:
    python, _, _ = _interpreter()
    installed = runtime_client.directory(function.runtime)
    scratch = Path(tempfile.mkdtemp(prefix="lambda-tmp-"))
    environ = variables(function, api, str(function.code), str(installed))
    environ |= {"HOME": str(scratch), "TMPDIR": str(scratch), "PYTHONDONTWRITEBYTECODE": "1"}
    opt = function.opt or scratch
    argv = [str(python), "-s", str(installed / "bootstrap.py"), str(opt)]
    return Launch(argv, environ, function.code, scratch)
