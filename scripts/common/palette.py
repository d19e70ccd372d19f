"""Okabe and Ito's colours (https://jfly.uni-koeln.de/color/), which colour-blind readers tell apart as well."""

BLUE, VERMILLION, GREEN, PINK, ORANGE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
# The palette has a yellow too, which white swallows.
GREY, LIGHT_GREY = "#555555", "#BBBBBB"


COLOURS = (BLUE, VERMILLION, GREEN, PINK, ORANGE, SKY, "black")


MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
