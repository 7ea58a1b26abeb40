"""The dashboards as files: what is built is what lies there, and a linter's rules over all of it."""

import json
import re
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from dashboards.build import REPOSITORY, RUNBOOK, files
from dashboards.pages import PAGES
from dashboards.panels import STAGES
from dashboards.rules import BY_NAME, RULES

from postroad.cli.main import command
from postroad.runtime.config import Config
from postroad.runtime.kafka import topics
from postroad.runtime.kafka.workers import load_all
from postroad.runtime.observe.metrics import CATALOGUE

PROCESS = {"process_resident_memory_bytes", "process_cpu_seconds_total", "up"}
NAME = re.compile(r"\b(?:postroad|process)_[a-z_]+\b|\bup\b")
BOARDS = {path.name: json.loads(text) for path, text in files().items() if path.suffix == ".json"}
ALL = {
    json.dumps({**panel, "id": 0, "gridPos": {}}): f"{name}: {panel['title']}"
    for name, board in BOARDS.items()
    for panel in board["panels"]
    if panel["type"] != "row"
}
PANELS = [pytest.param(json.loads(panel), id=place) for panel, place in ALL.items()]
SHOWN = {link["title"] for panel in ALL for link in json.loads(panel)["links"]} | {rule.command for rule in RULES}
QUERIES = {target["expr"]: place for panel, place in ALL.items() for target in json.loads(panel)["targets"]}
EXPRESSIONS = [pytest.param(expression, id=place) for expression, place in QUERIES.items()]


@pytest.mark.parametrize("path", [pytest.param(path, id=str(path)) for path in files()])
def test_what_lies_there_is_what_is_built(path: Path) -> None:
    """Otherwise: `python -m dashboards.build`."""
    assert (REPOSITORY / path).read_text("utf-8") == files()[path]


def test_there_is_an_overview_and_one_for_each_worker() -> None:
    assert [page.name for page in PAGES] == ["overview", *STAGES]
    assert {path.name for path in (REPOSITORY / "dashboards").glob("*.json")} == set(BOARDS)


def test_the_stages_of_each_worker_are_those_that_run() -> None:
    running = {worker.name: {core.name for core in topics.cores_of(worker)} for worker in load_all(Config())}
    assert {worker: set(stages) for worker, stages in STAGES.items()} == running


# -- the rules of Grafana's dashboard-linter ---------------------------------------------------------------------------


@pytest.mark.parametrize("board", [pytest.param(board, id=name) for name, board in BOARDS.items()])
def test_a_dashboard_lets_choose_source_job_and_instance(board: dict[str, Any]) -> None:
    variables = {one["name"]: one for one in board["templating"]["list"]}
    assert list(variables) == ["datasource", "job", "instance", "runbook"]
    assert variables["datasource"]["query"] == "prometheus"
    for name in ("job", "instance"):
        one = variables[name]
        assert (one["multi"], one["allValue"], one["refresh"]) == (True, ".+", 2)
        assert one["datasource"]["uid"] == "${datasource}"
        assert one["label"] == name.title()
    assert (board["editable"], board["timezone"]) == (False, "utc")
    assert board["uid"].startswith("postroad-")
    assert len(board["uid"]) <= 40


@pytest.mark.parametrize("board", [pytest.param(board, id=name) for name, board in BOARDS.items()])
def test_panels_neither_overlap_nor_share_an_id(board: dict[str, Any]) -> None:
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + right, place["y"] + down) for right in range(place["w"]) for down in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_says_what_it_is(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].count("\n\n") == 2, "what it shows, what red means, which command shows the cases"
    assert panel["fieldConfig"]["defaults"]["unit"] in ("s", "cps", "short", "percentunit", "bytes")
    assert panel["datasource"]["uid"] == "${datasource}"
    assert panel["targets"]
    assert all(target["legendFormat"] for target in panel["targets"])


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_links_to_the_command_that_shows_the_cases(panel: dict[str, Any]) -> None:
    [link] = panel["links"]
    assert link["title"] in SHOWN
    anchor = link["url"].removeprefix("${runbook}#")
    assert f"## {anchor}\n" in (REPOSITORY / "dashboards/README.md").read_text("utf-8")


@pytest.mark.parametrize("words", [pytest.param(words, id=words) for words in sorted(SHOWN)])
def test_a_command_that_is_named_exists(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With its subcommand and its options; words in capitals stand for others."""
    asked = words.removeprefix("postroad ").split()
    options = [word for word in asked if word.startswith("--")]
    named = list(takewhile(lambda word: not word.startswith("--"), asked))
    with suppress(SystemExit):
        command()([*(word for word in named if not word.isupper()), "--help"], exit_on_error=False)
    shown = capsys.readouterr().out
    assert f"Usage: postroad {' '.join(word for word in named if not word.isupper())}" in shown
    assert [option for option in options if option not in shown] == []


@pytest.mark.parametrize("panel", PANELS)
def test_colours_are_those_of_the_alerts(panel: dict[str, Any]) -> None:
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert steps[0] == {"color": "green", "value": None}
    limits = [(rule.amber, rule.red) for rule in RULES if rule.means in panel["description"]]
    assert [(steps[1]["value"], steps[2]["value"])] == limits if len(steps) > 1 else limits == []


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_query_asks_for_what_exists(expression: str) -> None:
    known = {*CATALOGUE, *PROCESS}
    named = {re.sub(r"_(bucket|count|sum)$", "", found) for found in NAME.findall(expression)}
    assert named
    assert named - known == set()


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_query_uses_labels_that_exist(expression: str) -> None:
    for name, matchers in re.findall(r"\b(postroad_[a-z_]+)\{([^}]*)\}", expression):
        figure = CATALOGUE[re.sub(r"_(bucket|count|sum)$", "", name)]
        used = set(re.findall(r"(\w+)=~?\"", matchers))
        assert {"job", "instance"} <= used, "the choice of job and instance"
        assert used - {"job", "instance"} <= set(figure.labels)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_rates_are_of_counters_over_the_interval_that_is_shown(expression: str) -> None:
    for of, window in re.findall(r"(?:rate|increase)\((\w+)\{[^}]*\}\[([^]]+)\]\)", expression):
        figure = CATALOGUE.get(re.sub(r"_(bucket|count|sum)$", "", of))
        assert figure is None or figure.kind in ("counter", "histogram")
        assert window == "$__rate_interval" or window in ("5m", "15m", "1h", "6h")
    assert not re.search(r"@|~\]", expression), "what stands for something else was replaced"


# -- the runbook -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule.name) for rule in RULES])
def test_the_runbook_says_what_red_means_and_what_to_do(rule: Any) -> None:
    runbook = (REPOSITORY / "dashboards/README.md").read_text("utf-8")
    chapter = runbook.partition(f"### {rule.name}\n")[2].partition("### ")[0]
    assert [words for words in (rule.means, rule.act, rule.command) if words not in chapter] == []
    assert rule.red >= rule.amber


def test_every_rule_is_on_a_panel() -> None:
    shown = {panel.rule for page in PAGES for _, panels in page.rows for panel in panels}
    assert shown - {""} == set(BY_NAME)


def test_the_runbook_may_be_published_anywhere() -> None:
    elsewhere = files("https://wiki.example.org/mail")
    assert all(RUNBOOK not in text for text in elsewhere.values())
