"""From mammograms and boxes to outlines and their files, for every verb that predicts.

`images` and `boxes` read what is to be predicted, `predictor` makes findings with the inference config, `engine` runs
the network, `outputs` writes the findings of a mammogram, and `jobs` does all of this for one mammogram.
"""
