"""What the readers of binaries share."""

import re

from elftools.common.exceptions import ELFError

DAMAGED = (ELFError, AssertionError, OverflowError, UnicodeDecodeError)
"""What pyelftools raises for a damaged file."""

LIBRARY = re.compile(r"\.so(\.\d+)*$")
"""The end of the file name of a shared library or an extension module."""
