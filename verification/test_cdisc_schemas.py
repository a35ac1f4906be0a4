"""define.xml and Dataset-JSON against CDISC's own schemas, where those are at hand.

`MESOTRIAL_CDISC_SCHEMAS` names a folder with `dataset.schema.json` (of the Dataset-JSON 1.1 release) and the folders `cdisc-arm-1.0`,
`cdisc-define-2.1`, `cdisc-odm-1.3.2` and `core` (of the Define-XML 2.1 release). They are not part of this repository.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from mesotrial.export import export_run
from mesotrial.run import Run, run_trial

FOLDER = os.environ.get("MESOTRIAL_CDISC_SCHEMAS")
pytestmark = pytest.mark.skipif(FOLDER is None, reason="MESOTRIAL_CDISC_SCHEMAS does not name a folder of schemas")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_trial("checkmate743", patients_per_arm=12, out=tmp_path_factory.mktemp("runs") / "run")


@pytest.mark.parametrize("form", ["xpt", "dataset-json"])
def test_define_xml_is_valid_by_the_schema_of_define_xml_2_1(run: Run, form: str) -> None:
    if shutil.which("Rscript") is None:
        pytest.skip("no R here")
    schema = Path(str(FOLDER)) / "cdisc-arm-1.0" / "arm1-0-0.xsd"
    file = export_run(run, form).folder / "define.xml"  # type: ignore[arg-type]
    script = f"""
    if (!requireNamespace("xml2", quietly = TRUE)) quit(status = 9)
    found <- xml2::xml_validate(xml2::read_xml("{file}"), xml2::read_xml("{schema}"))
    cat(as.logical(found), attr(found, "errors"), sep = "\\n")"""
    done = subprocess.run(["Rscript", "-e", script], capture_output=True, text=True, check=False)
    if done.returncode == 9:
        pytest.skip("R has no xml2")
    assert done.stdout.startswith("TRUE"), done.stdout + done.stderr


def test_dataset_json_is_valid_by_the_schema_of_dataset_json_1_1(run: Run) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((Path(str(FOLDER)) / "dataset.schema.json").read_text(encoding="utf-8"))
    files = [path for path in export_run(run, "dataset-json").files if path.suffix == ".json"]
    assert len(files) == 7
    for file in files:
        jsonschema.Draft201909Validator(schema).validate(json.loads(file.read_text(encoding="utf-8")))
