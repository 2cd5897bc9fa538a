"""What the readers of binaries share."""

from elftools.common.exceptions import ELFError

DAMAGED = (ELFError, AssertionError, OverflowError, UnicodeDecodeError)
"""What pyelftools raises for a damaged file."""
