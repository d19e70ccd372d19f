"""From mammograms and boxes to outlines.

`boxes` and `images` say what is to be predicted, `predictor` outlines by the inference config, `engine` runs its
network, `quality` says what speaks against an outline, `outputs` writes, `command` is the verb.
"""
