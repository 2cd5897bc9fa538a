"""Asks an agent every item of a data set, scores the answers, and records the experiment in Langfuse."""
