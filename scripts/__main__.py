"""The verbs: `python -m scripts <verb> --help` tells what each takes."""

from __future__ import annotations

import fire

from custom.errors import report_input_errors
from scripts.card import card
from scripts.checked import checked
from scripts.datalists import datalists
from scripts.demo import demo
from scripts.package import package
from scripts.phantoms import phantoms
from scripts.predict.command import predict
from scripts.prepare.cbis_ddsm import prepare_cbis_ddsm
from scripts.prepare.inbreast import prepare_inbreast
from scripts.prepare.manifest import prepare_manifest
from scripts.release import release
from scripts.report.command import report
from scripts.study.command import study

VERBS = {
    "card": checked(card),
    "datalists": checked(datalists),
    "demo": checked(demo),
    "package": checked(package),
    "phantoms": checked(phantoms),
    "predict": checked(predict),
    "prepare": {
        "cbis_ddsm": checked(prepare_cbis_ddsm),
        "inbreast": checked(prepare_inbreast),
        "manifest": checked(prepare_manifest),
    },
    "release": checked(release),
    "report": checked(report),
    "study": study,
}


if __name__ == "__main__":
    report_input_errors()
    fire.Fire(VERBS, name="python -m scripts")
