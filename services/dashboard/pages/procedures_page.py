"""Measurements and corrections: start one at the chosen twin, watch its progress, cancel it, see its result."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.development.base_component import Component

from gnomon.lattice import GnomonError
from gnomon.procedures.errors import ProcedureError
from gnomon.services.dashboard.option_form import OPTION, filled_in, option_form
from gnomon.services.dashboard.page_clicks import click_button, click_store, clicked
from gnomon.services.dashboard.page_parts import PREFIX_STORE, DashboardParts, Page, require_full
from gnomon.services.dashboard.page_twin import problem_line
from gnomon.services.dashboard.pages.results_page import result_link
from gnomon.services.job_documents import Job

#: Jobs in the list, and the period at which it is read again [ms].
COUNT, PERIOD_MS = 20, 1000
#: Store of clicks: the job to cancel.
CLICK = "procedure-click"
#: Names of lines about runs without an outcome.
UNFINISHED = ("failed", "stopped")
#: Procedures are offered in this order of their kinds.
KINDS = ("measurement", "analysis", "correction", "script")


def layout() -> Component:
    """Make the page: choice and options, and the jobs, the newest first."""
    return html.Div(
        [
            html.Div(
                [
                    html.Div(
                        html.Label(
                            [
                                "Procedure",
                                dcc.Dropdown([], id="procedure-name", clearable=False),
                            ],
                            className="choice wide-choice",
                        ),
                        className="page-tools",
                    ),
                    html.Div(id="procedure-options", className="options"),
                    html.Div(id="procedure-told", role="status"),
                    html.Button("Start", id="procedure-start", className="main", n_clicks=0),
                ],
                className="card changes",
            ),
            dcc.Interval(id="procedure-tick", interval=PERIOD_MS),
            dcc.Store(id="procedure-started"),
            click_store(CLICK),
            html.Div(id="procedure-jobs", className="jobs"),
        ]
    )


def callbacks(app: Dash, parts: DashboardParts) -> None:
    """Register the callbacks."""
    desk = parts.desk

    @app.callback(
        Output("procedure-name", "options"),
        Output("procedure-name", "value"),
        Input("procedure-name", "id"),
        State("procedure-name", "value"),
    )
    def offer(_: str, chosen: str | None) -> Any:
        """Offer all procedures."""
        ordered = sorted(desk.offers(), key=lambda each: KINDS.index(each.kind))
        options = [{"label": f"{each.title or each.name} ({each.kind})", "value": each.name} for each in ordered]
        return options, chosen or ordered[0].name

    @app.callback(Output("procedure-options", "children"), Input("procedure-name", "value"))
    def options(name: str | None) -> Any:
        """Make the form of a procedure's options."""
        if name is None:
            return no_update
        try:
            return option_form(name, desk.find(name).schema)
        except GnomonError as error:
            return problem_line(str(error))

    @app.callback(
        Output("procedure-told", "children"),
        Output("procedure-started", "data"),
        Input("procedure-start", "n_clicks"),
        Input(CLICK, "data"),
        State("procedure-name", "value"),
        State({"type": OPTION, "of": ALL, "name": ALL}, "id"),
        State({"type": OPTION, "of": ALL, "name": ALL}, "value"),
        State(PREFIX_STORE, "data"),
        prevent_initial_call=True,
    )
    def act(_: int, click: Any, name: str, ids: Sequence[Any], values: Sequence[Any], prefix: str | None) -> Any:
        """Start the procedure, or cancel a job."""
        try:
            require_full()
            if ctx.triggered_id == CLICK:
                job = desk.cancel(clicked(click))
                return html.P(f"{job.id}: asked to end; the machine is put back"), job.id
            if any(each["of"] != name for each in ids):
                raise ProcedureError(f"nothing was started: the options of {name} were not shown yet; start again")
            offered = desk.find(name)
            job = desk.start(offered, prefix, filled_in(offered.schema, [each["name"] for each in ids], values))
        except GnomonError as error:
            return problem_line(str(error)), no_update
        return html.P(f"{job.id} was started at {job.prefix!r}", className="good"), job.id

    @app.callback(
        Output("procedure-jobs", "children"),
        Input("procedure-tick", "n_intervals"),
        Input("procedure-started", "data"),
    )
    def fill(_: int | None, __: Any) -> Any:
        """Show the jobs."""
        try:
            jobs = desk.jobs()[:COUNT]
        except GnomonError as error:
            return problem_line(str(error))
        return [job_card(job) for job in jobs] or html.P("No procedure was started yet.", className="note")


def job_card(job: Job) -> Component:
    """Show a job: its state and progress, its outcome, and what can be done."""
    state = job.state if job.is_ended or not job.phase else f"{job.state}: {job.phase}"
    rows = f"{job.rows} of {job.rows_expected} rows" if job.rows_expected and not job.is_ended else ""
    # Of a run that failed, the summary is the reason, which the message is, too.
    lines = [
        html.Tr([html.Th(line.name), html.Td(f"{line.value} {line.unit}".strip(), className="n")])
        for line in job.summary
        if not (job.message and line.name in UNFINISHED)
    ]
    cancel = click_button("Cancel", CLICK, job.id, "changes")
    return html.Div(
        [
            html.Div(
                [
                    html.H2([(job.title or job.procedure).capitalize(), " ", html.Span(job.id, className="mono note")]),
                    "" if job.is_ended else cancel,
                ],
                className="job-head",
            ),
            html.Div(
                [
                    html.Span(state, className=f"state-{job.state}"),
                    html.Span(f"at {job.prefix!r}", className="note"),
                    html.Span(rows, className="note"),
                    html.Span(_times(job), className="note"),
                    html.Span([each for name in job.results for each in (result_link(name), " ")]),
                ],
                className="numbers",
            ),
            html.Progress(value=f"{job.progress:.4f}", max="1", className="job-progress"),
            html.P(job.message, className="note text") if job.message else "",
            html.Table(html.Tbody(lines), className="list") if lines else "",
        ],
        className="card job",
        **{"data-job": job.id},  # type: ignore[arg-type]
    )


def _times(job: Job) -> str:
    """Say when a job was started, and how long it took, or has taken."""
    started = datetime.fromisoformat(job.started)
    ended = datetime.fromisoformat(job.ended) if job.ended else datetime.now(UTC)
    seconds = max(0.0, (ended - started).total_seconds())
    minutes, rest = divmod(round(seconds), 60)
    took = f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s" if job.is_ended else f"{seconds:.0f} s"
    return f"started {started:%Y-%m-%d %H:%M:%S} UTC, {'took' if job.is_ended else 'for'} {took}"


PAGE = Page(path="procedures", title="Procedures", layout=layout, callbacks=callbacks)
