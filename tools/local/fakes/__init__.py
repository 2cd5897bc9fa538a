"""The fake Bedrock and the fake Langfuse server, and the faults that tests inject into them.

Not here: anything that the function could notice; fakes are selected by their URL only.
"""
