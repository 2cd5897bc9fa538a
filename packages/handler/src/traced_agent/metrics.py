"""What the function counts, by CloudWatch's embedded metric format: lines of the log, read as metrics.

The stack imports the names from here; the dimension of each is `FunctionName`.
"""

NAMESPACE = "StrandsLangfuseLambda"
COLD_STARTS = "ColdStarts"
INPUT_TOKENS = "InputTokens"
OUTPUT_TOKENS = "OutputTokens"
TRACES_LOST = "TracesLost"
