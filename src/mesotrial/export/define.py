"""define.xml: what the datasets hold, in the words of CDISC's Define-XML 2.1 (specification of 2019, on ODM 1.3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from mesotrial.export.datasets import Dataset, Variable

if TYPE_CHECKING:
    from mesotrial.export.about import About

__all__ = ["define_xml"]

ODM = "http://www.cdisc.org/ns/odm/v1.3"
DEFINE = "http://www.cdisc.org/ns/def/v2.1"
_XLINK = "http://www.w3.org/1999/xlink"
_XML_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_STANDARD = "STD.ADAMIG"
_TYPES = {"text": "text", "integer": "integer", "number": "float"}
_DEPARTURES = (
    "Simulated data. Names and structures follow the ADaM Implementation Guide; it is not a conformant submission: there are no calendar dates, sites or "
    "races, days count from randomisation as day 0, and terms are those of the simulation, without NCI codes."
)
_ORIGIN = "Simulated by a model; no patient is real."


def define_xml(data: Sequence[Dataset], about: About, ending: str) -> str:
    """Return define.xml for datasets in files `<name>.<ending>` beside it."""
    for prefix, space in (("", ODM), ("def", DEFINE), ("xlink", _XLINK)):
        ET.register_namespace(prefix, space)
    root = ET.Element(
        _odm("ODM"),
        {
            "ODMVersion": "1.3.2",
            "FileType": "Snapshot",
            "FileOID": f"{about.study}.define",
            "CreationDateTime": about.written,
            "Originator": "mesotrial (simulated data)",
            "SourceSystem": "mesotrial",
            "SourceSystemVersion": about.version,
            _def("Context"): "Other",
        },
    )
    study = _under(root, _odm("Study"), OID=about.study)
    names = _under(study, _odm("GlobalVariables"))
    for tag, text in (
        ("StudyName", about.study),
        ("StudyDescription", f"{about.title} ({about.line})"),
        ("ProtocolName", about.study),
    ):
        _under(names, _odm(tag)).text = text
    version = ET.SubElement(
        study,
        _odm("MetaDataVersion"),
        {"OID": about.metadata, "Name": f"{about.study}, data definitions", _def("DefineVersion"): "2.1.0"},
    )
    _metadata(version, data, ending)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _metadata(version: ET.Element, data: Sequence[Dataset], ending: str) -> None:
    standards = _under(version, _def("Standards"))
    _under(standards, _def("Standard"), OID=_STANDARD, Name="ADaMIG", Type="IG", Version="1.3", Status="Final")
    for dataset in data:
        _item_group(version, dataset, ending)
    lists: dict[str, Variable] = {}
    comments = {"COM.SIM": _DEPARTURES}
    for dataset in data:
        for variable in dataset.variables:
            _item(version, dataset, variable, lists, comments)
    for oid, variable in lists.items():
        _code_list(version, oid, variable)
    for oid, text in comments.items():
        comment = _under(version, _def("CommentDef"), OID=oid)
        _describe(comment, text)


def _item_group(version: ET.Element, dataset: Dataset, ending: str) -> None:
    group = ET.SubElement(
        version,
        _odm("ItemGroupDef"),
        {
            "OID": f"IG.{dataset.name}",
            "Name": dataset.name,
            "Repeating": "No" if dataset.name == "ADSL" else "Yes",
            "IsReferenceData": "No",
            "SASDatasetName": dataset.name,
            "Purpose": "Analysis",
            _def("Structure"): dataset.structure,
            _def("ArchiveLocationID"): f"LF.{dataset.name}",
            _def("StandardOID"): _STANDARD,
            _def("CommentOID"): "COM.SIM",
        },
    )
    _describe(group, dataset.title)
    for place, variable in enumerate(dataset.variables, start=1):
        key = {"KeySequence": str(dataset.keys.index(variable.name) + 1)} if variable.name in dataset.keys else {}
        mandatory = "Yes" if variable.name in ("STUDYID", "USUBJID", "SIMFL", "TRT01P") else "No"
        ET.SubElement(
            group,
            _odm("ItemRef"),
            {"ItemOID": _oid(dataset, variable), "Mandatory": mandatory, "OrderNumber": str(place)} | key,
        )
    kind = _under(group, _def("Class"), Name=dataset.kind)
    if dataset.subkind:
        _under(kind, _def("SubClass"), Name=dataset.subkind)
    file = f"{dataset.name.lower()}.{ending}"
    leaf = ET.SubElement(group, _def("leaf"), {"ID": f"LF.{dataset.name}", f"{{{_XLINK}}}href": file})
    _under(leaf, _def("title")).text = file


def _item(
    version: ET.Element,
    dataset: Dataset,
    variable: Variable,
    lists: dict[str, Variable],
    comments: dict[str, str],
) -> None:
    attributes = {
        "OID": _oid(dataset, variable),
        "Name": variable.name,
        "DataType": _TYPES[variable.kind],
        "SASFieldName": variable.name,
    } | _length(dataset, variable)
    if variable.note:
        oid = f"COM.{dataset.name}.{variable.name}"
        comments[oid] = variable.note[0].upper() + variable.note[1:] + "."
        attributes[_def("CommentOID")] = oid
    item = ET.SubElement(version, _odm("ItemDef"), attributes)
    _describe(item, variable.full_label)
    if variable.codes:
        _under(item, _odm("CodeListRef"), CodeListOID=_list_of(variable, lists))
    origin = _under(item, _def("Origin"), Type="Other")
    _describe(origin, _ORIGIN)


def _length(dataset: Dataset, variable: Variable) -> dict[str, str]:
    if variable.kind == "text":
        return {"Length": str(dataset.text_length(variable.name))}
    if variable.kind == "integer":
        values = dataset.frame[variable.name].drop_nulls().to_list()
        return {"Length": str(max((len(str(value)) for value in values), default=1))}
    return {"Length": "22", "SignificantDigits": "15"}  # a double


def _list_of(variable: Variable, lists: dict[str, Variable]) -> str:
    """Return the OID of the variable's code list; the same name with the same codes is one list."""
    same = [(oid, one) for oid, one in lists.items() if one.name == variable.name]
    for oid, one in same:
        if one.codes == variable.codes:
            return oid
    oid = f"CL.{variable.name}" + (f".{len(same) + 1}" if same else "")
    lists[oid] = variable
    return oid


def _code_list(version: ET.Element, oid: str, variable: Variable) -> None:
    kind = "integer" if variable.kind == "integer" else "text"
    attributes = {"OID": oid, "Name": f"{variable.label} ({oid})", "DataType": kind, _def("IsNonStandard"): "Yes"}
    made = ET.SubElement(version, _odm("CodeList"), attributes)
    decoded = any(code != word for code, word in variable.codes.items())
    for place, (code, word) in enumerate(variable.codes.items(), start=1):
        tag = "CodeListItem" if decoded else "EnumeratedItem"
        item = _under(made, _odm(tag), CodedValue=code, OrderNumber=str(place))
        if decoded:
            _text(_under(item, _odm("Decode")), word)


def _describe(parent: ET.Element, text: str) -> None:
    _text(_under(parent, _odm("Description")), text)


def _text(parent: ET.Element, text: str) -> None:
    ET.SubElement(parent, _odm("TranslatedText"), {_XML_LANGUAGE: "en"}).text = text


def _under(parent: ET.Element, tag: str, **attributes: str) -> ET.Element:
    return ET.SubElement(parent, tag, attributes)


def _oid(dataset: Dataset, variable: Variable) -> str:
    return f"IT.{dataset.name}.{variable.name}"


def _odm(tag: str) -> str:
    return f"{{{ODM}}}{tag}"


def _def(tag: str) -> str:
    return f"{{{DEFINE}}}{tag}"
