"""What `hatch run demo` and `hatch run local` print and read: arguments, progress, the function's log.

Not here: anything that a test or another program needs; that is `LocalCloud` in `cloud`.
"""
