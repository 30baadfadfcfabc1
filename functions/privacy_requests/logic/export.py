"""Making a copy of everything known of a person: collect it page by page, then put it together."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from functions.privacy_requests.logic.collection import collect_page, is_collected
from functions.privacy_requests.logic.document import as_html, as_json, attachments
from functions.privacy_requests.logic.steps import (
    ROUNDS,
    Next,
    Ports,
    StepRequest,
    has_begun_elsewhere,
)
from shared.domain.errors import NotFound
from shared.domain.privacy import Export, ExportId, ExportState
from shared.events.catalogue import ExportReady
from shared.events.envelope import Event


def make_export(request: StepRequest, ports: Ports) -> Next:
    """One step of the state machine `export`, by its name."""
    export = ports.requests.read_export(ExportId(request.export_id))
    if export is None:
        return Next.ENDED
    if request.step == "begin" and request.attempt > export.run_attempt:
        begun = {"run": request.run, "run_attempt": request.attempt}
        export = export.model_copy(update=begun)
    if has_begun_elsewhere(export, request):
        return Next.ENDED
    try:
        return STEPS[request.step](export, ports)
    except NotFound:
        if not _is_erased(export, ports):
            raise
        # Who is erased while their data are collected leaves no copy of them.
        ports.requests.discard(export)
        return Next.ENDED


def _is_erased(export: Export, ports: Ports) -> bool:
    """Whether what is missing is so because they are being erased, which deletes files first and
    the request of the export last, or because that is over.
    """
    if ports.requests.read_export(export.export_id) is None:
        return True
    return any(map(ports.requests.erasure_under_way, export.profile_ids))


def _begin(export: Export, ports: Ports) -> Next:
    """A new attempt goes on behind the pages that an earlier one kept."""
    return _keep(export, ports)


def _collect(export: Export, ports: Ports) -> Next:
    for _ in range(ROUNDS):
        if is_collected(export):
            return Next.ON
        export = collect_page(export, ports)
        _keep(export, ports)
    return Next.AGAIN


def _assemble(export: Export, ports: Ports) -> Next:
    ports.requests.keep_archive(export, _files(export, ports))
    ready = export.model_copy(update={"state": ExportState.READY})
    return _keep(ready, ports, ExportReady(export_id=export.export_id))


def _files(export: Export, ports: Ports) -> Iterator[tuple[str, Iterable[bytes]]]:
    yield "export.json", as_json(export, ports.requests.parts(export))
    yield "export.html", as_html(export, ports.requests.parts(export))
    for name in attachments(ports.requests.parts(export)):
        yield name, ports.data.file(name)


def _give_up(export: Export, ports: Ports) -> Next:
    return _keep(export.model_copy(update={"state": ExportState.FAILED}), ports)


def _keep(export: Export, ports: Ports, event: Event | None = None) -> Next:
    ports.requests.save_export(export, event)
    return Next.ON


STEPS: Mapping[str, Callable[[Export, Ports], Next]] = {
    "begin": _begin,
    "collect": _collect,
    "assemble": _assemble,
    "give_up": _give_up,
}
"""In the order of the state machine, which is made from it in infra/constructs/erasure.py."""
