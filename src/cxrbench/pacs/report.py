"""The answer as a structured report after TID 1500: one group per finding, all coded.

Source: DICOM PS3.16 TID 1500, TID 1501, TID 300, TID 311, TID 4019; PS3.3 A.35.2 (Enhanced SR).
"""

from collections.abc import Iterator

import pydicom
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import (
    CodedConcept,
    ContainerContentItem,
    ContentSequence,
    DeviceObserverIdentifyingAttributes,
    EnhancedSR,
    Measurement,
    MeasurementProperties,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    MeasurementStatisticalProperties,
    NumContentItem,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    RelationshipTypeValues,
    SourceImageForMeasurementGroup,
    TextContentItem,
    TrackingIdentifier,
)
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from cxrbench import __version__
from cxrbench.pacs.codes import (
    CHEST_FILM,
    MODEL_OUTPUT,
    NOTICE,
    QUALITATIVE_EVALUATIONS,
    REACHES_THRESHOLD,
    THRESHOLD,
    WARNING,
    concept_of,
    private_schemes,
)
from cxrbench.pacs.equipment import MANUFACTURER, MODEL, RESEARCH_ONLY, Author
from cxrbench.pacs.findings import Told
from cxrbench.pacs.source import UTF_8, Source
from cxrbench.pacs.uids import derived_uid

SERIES_NUMBER = 9001
DIGITS = 4
DECISIONS = {True: codes.SCT.Yes, False: codes.SCT.No, None: codes.SCT.Undetermined}
POPULATION = "films that the thresholds were chosen on (validation part)"


def make_report(source: Source, author: Author, findings: tuple[Told, ...], warnings: tuple[str, ...]) -> EnhancedSR:
    """The report on one film; preliminary, as nobody has verified it."""
    report = EnhancedSR(
        evidence=[source.image],
        content=_content(source, author, findings, warnings),
        series_instance_uid=derived_uid("report series", source.uid, author.digest),
        series_number=SERIES_NUMBER,
        series_description=f"{MODEL}: findings. {RESEARCH_ONLY}",
        sop_instance_uid=derived_uid("report", source.uid, author.digest),
        instance_number=1,
        is_complete=True,
        coding_schemes=[
            CodingSchemeIdentificationItem(scheme, name=name)
            for scheme, name in private_schemes(one.of.coded for one in findings).items()
        ],
        specific_character_set=UTF_8,
        **author.attributes,
    )
    source.identify(report)
    return report


def _content(
    source: Source, author: Author, findings: tuple[Told, ...], warnings: tuple[str, ...]
) -> MeasurementReport:
    """The content tree."""
    groups = [_group(source, author, one) for one in findings]
    content = MeasurementReport(_observer(author), CHEST_FILM, imaging_measurements=groups)
    content[0].ContentSequence.append(_texts(author.notices, warnings))
    return content


def _observer(author: Author) -> ObservationContext:
    """Observed by this software with this bundle."""
    device = DeviceObserverIdentifyingAttributes(
        uid=author.uid,
        name=f"{MODEL} {__version__}, bundle {author.name} {author.digest[:12]}",
        manufacturer_name=MANUFACTURER,
        model_name=MODEL,
        serial_number=author.digest,
    )
    return ObservationContext(observer_device_context=ObserverContext(codes.DCM.Device, device))


def _group(source: Source, author: Author, told: Told) -> MeasurementsAndQualitativeEvaluations:
    """TID 1501: what is said of one finding."""
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid=derived_uid("finding", source.uid, author.digest, told.finding), identifier=told.finding
        ),
        finding_type=concept_of(told.of.coded),
        algorithm_id=author.algorithm,
        measurements=list(_measurements(told)),
        qualitative_evaluations=[QualitativeEvaluation(REACHES_THRESHOLD, DECISIONS[told.is_present])],
        source_images=[SourceImageForMeasurementGroup(source.image.SOPClassUID, source.image.SOPInstanceUID)],
    )


def _measurements(told: Told) -> Iterator[Measurement]:
    """Probability with its percentile, and the threshold where there is one."""
    name = codes.DCM.Probability if told.is_calibrated else MODEL_OUTPUT
    yield _measurement(name, told.probability, properties=_percentile(told.percentile))
    if told.threshold is not None:
        yield _measurement(THRESHOLD, told.threshold)


def _measurement(
    name: Code | CodedConcept, value: float, *, properties: MeasurementProperties | None = None
) -> Measurement:
    """TID 300: a share, exactly as a floating-point number and in few digits for a reader."""
    measurement = Measurement(name, value, codes.UCUM.NoUnits, properties=properties)
    measurement[0].MeasuredValueSequence[0].NumericValue = f"{value:.{DIGITS}g}"
    return measurement


def _percentile(percentile: float) -> MeasurementProperties:
    """TID 311: the probability's place among those of the validation part."""
    item = NumContentItem(
        codes.DCM.PercentileRankingOfMeasurement,
        round(percentile, 2),
        codes.UCUM.Percent,
        relationship_type=RelationshipTypeValues.HAS_PROPERTIES,
    )
    return MeasurementProperties(
        measurement_statistical_properties=MeasurementStatisticalProperties([item], description=POPULATION)
    )


def _texts(notices: tuple[str, ...], warnings: tuple[str, ...]) -> ContainerContentItem:
    """What is said in words: notices of the bundle, warnings of the film."""
    container = ContainerContentItem(QUALITATIVE_EVALUATIONS, relationship_type=RelationshipTypeValues.CONTAINS)
    named: list[tuple[CodedConcept, str]] = [(NOTICE, text) for text in notices]
    named += [(WARNING, text) for text in warnings]
    items = [TextContentItem(name, text, relationship_type=RelationshipTypeValues.CONTAINS) for name, text in named]
    container.ContentSequence = ContentSequence(items)
    return container


def read_probabilities(report: pydicom.Dataset) -> dict[str, float]:
    """Finding, in its code's words -> probability, or the output that is not calibrated, as a report says it."""
    (measurements,) = _named(report, codes.DCM.ImagingMeasurements)
    told = {}
    for group in measurements.ContentSequence:
        (finding,) = _named(group, codes.DCM.Finding)
        (number,) = [*_named(group, codes.DCM.Probability), *_named(group, MODEL_OUTPUT)]
        told[str(finding.ConceptCodeSequence[0].CodeMeaning)] = float(
            number.MeasuredValueSequence[0].FloatingPointValue
        )
    return told


def _named(parent: pydicom.Dataset, name: Code | CodedConcept) -> list[pydicom.Dataset]:
    """Content items of a name right below a parent."""
    return [
        item
        for item in parent.ContentSequence
        if "ConceptNameCodeSequence" in item and item.ConceptNameCodeSequence[0].CodeValue == name.value
    ]
