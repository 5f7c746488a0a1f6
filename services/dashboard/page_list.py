"""The pages, in the order of the navigation, and the values that the strip above each page shows."""

from gnomon.db import sources
from gnomon.services.dashboard.page_parts import Page
from gnomon.services.dashboard.pages import (
    faults_page,
    journal_page,
    orbit_page,
    procedures_page,
    recordings_page,
    response_page,
    results_page,
    status_page,
    supplies_page,
    tune_page,
)

#: All pages; the first one is shown where no page is named.
PAGES: tuple[Page, ...] = (
    orbit_page.PAGE,
    tune_page.PAGE,
    supplies_page.PAGE,
    procedures_page.PAGE,
    response_page.PAGE,
    results_page.PAGE,
    journal_page.PAGE,
    recordings_page.PAGE,
    faults_page.PAGE,
    status_page.PAGE,
)

#: Live values that every page gets.
SHARED = (
    *(sources.BEAM_FOUND, sources.BEAM_REASON, sources.BEAM_CURRENT, sources.ACTIVE, sources.MACHINE_ROLE),
    *(*sources.TUNE, *sources.TUNE_FRACTION, sources.FAULTS_COUNT),
)
