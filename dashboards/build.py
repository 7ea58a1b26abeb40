"""Writes what Grafana and Prometheus read, and the runbook, from `pages` and `rules`: `python -m dashboards.build`.

`--runbook URL` says where the links of panels and alerts find `dashboards/README.md`.
"""

import argparse
import json
from pathlib import Path
from typing import Any, TypeAlias

from dashboards.pages import PAGES, Page
from dashboards.panels import Panel
from dashboards.rules import BY_NAME, RULES, Rule

Json: TypeAlias = dict[str, Any]  # as Grafana has it
REPOSITORY = Path(__file__).parents[1]
RUNBOOK = "https://runbooks.example.com/postroad/README.md"
SCHEMA_VERSION = 39  # Grafana 11; later ones migrate it
SELECT = 'job=~"$job", instance=~"$instance"'
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH, PER_ROW, HEIGHT = 24, 4, 8
SEVERITIES = (("amber", "ticket"), ("red", "page"))


def files(runbook: str = RUNBOOK) -> dict[Path, str]:
    """Everything that is written, by path in the repository."""
    written = {Path(f"dashboards/{page.name}.json"): _json(dashboard(page, runbook)) for page in PAGES}
    return written | {
        Path("dashboards/README.md"): readme(),
        Path("deploy/prometheus/alerts.yaml"): alerts(runbook),
    }


def on_dashboard(expression: str) -> str:
    """With the choice of job and instance, and the interval that fits what is shown."""
    return expression.replace("@", SELECT).replace("[~]", "[$__rate_interval]")


def in_alert(expression: str) -> str:
    """For all processes, over 5 minutes."""
    return expression.replace(",@", "").replace("{@}", "").replace("[~]", "[5m]")


def dashboard(page: Page, runbook: str = RUNBOOK) -> Json:
    return {
        "uid": f"postroad-{page.name.replace('_', '-')}",
        "title": page.title,
        "description": page.question,
        "tags": ["postroad"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "utc",
        "links": [
            {
                "title": "postroad",
                "type": "dashboards",
                "tags": ["postroad"],
                "asDropdown": True,
                "includeVars": True,
                "keepTime": True,
            }
        ],
        "templating": {"list": _variables(runbook)},
        "panels": _panels(page),
    }


def _variables(runbook: str) -> list[Json]:
    def chosen(name: str, label: str, query: str) -> Json:
        return {
            "name": name,
            "label": label,
            "type": "query",
            "datasource": SOURCE,
            "query": {"query": query, "refId": name},
            "refresh": 2,
            "multi": True,
            "includeAll": True,
            "allValue": ".+",
            "current": {"text": "All", "value": "$__all"},
            "sort": 1,
        }

    return [
        {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"},
        chosen("job", "Job", "label_values(postroad_worker_info, job)"),
        chosen("instance", "Instance", 'label_values(postroad_worker_info{job=~"$job"}, instance)'),
        {"name": "runbook", "label": "Runbook", "type": "textbox", "query": runbook, "current": {"value": runbook}},
    ]


def _panels(page: Page) -> list[Json]:
    made: list[Json] = []
    top = 0
    for title, panels in page.rows:
        made.append(_place({"type": "row", "title": title, "collapsed": False, "panels": []}, top, 0, WIDTH, 1))
        top += 1
        for first in range(0, len(panels), PER_ROW):
            line = panels[first : first + PER_ROW]
            width = WIDTH // len(line)
            for column, panel in enumerate(line):
                made.append(_place(_panel(panel, page), top, column * width, width, HEIGHT))
            top += HEIGHT
    return [{**each, "id": number} for number, each in enumerate(made, 1)]


def _place(panel: Json, top: int, left: int, width: int, height: int) -> Json:
    return {**panel, "gridPos": {"x": left, "y": top, "w": width, "h": height}}


def _panel(panel: Panel, page: Page) -> Json:
    rule = BY_NAME.get(panel.rule)
    command = command_of(panel)
    words = f"{panel.shows}\n\n{_red(rule)}\n\nThe cases: `{command}`"
    return {
        "type": "timeseries",
        "title": panel.title,
        "description": words,
        "datasource": SOURCE,
        "links": [{"title": command, "url": f"${{runbook}}#{page.name}", "targetBlank": True}],
        "fieldConfig": {"defaults": _defaults(panel, rule), "overrides": []},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": [
            {"refId": chr(65 + number), "datasource": SOURCE, "expr": expression, "legendFormat": legend}
            for number, (expression, legend) in enumerate(queries(panel))
        ],
    }


def queries(panel: Panel) -> list[tuple[str, str]]:
    """As they stand on the dashboard, with their legends."""
    own = panel.queries or ((BY_NAME[panel.rule].expression, panel.legend),)
    return [(on_dashboard(expression), legend) for expression, legend in own]


def command_of(panel: Panel) -> str:
    return panel.command or BY_NAME[panel.rule].command


def _defaults(panel: Panel, rule: Rule | None) -> Json:
    steps: list[Json] = [{"color": "green", "value": None}]
    if rule is not None:
        steps += [{"color": "orange", "value": rule.amber}, {"color": "red", "value": rule.red}]
    drawn = {"fillOpacity": 8, "showPoints": "never", "thresholdsStyle": {"mode": "dashed" if rule else "off"}}
    return {"unit": panel.unit, "custom": drawn, "thresholds": {"mode": "absolute", "steps": steps}}


def _red(rule: Rule | None) -> str:
    if rule is None:
        return "It is never red by itself."
    return f"Red above {rule.red:g}, amber above {rule.amber:g}, for {rule.hold}: {rule.means} {rule.act}"


def alerts(runbook: str = RUNBOOK) -> str:
    """The rules as Prometheus reads them: one alert a severity. YAML, of which JSON's strings are a part."""
    lines = [
        "# Made by `python -m dashboards.build` from dashboards/rules.py.",
        "# Trouble with mail is never announced by mail: route `page` and `ticket` to a pager, a chat or tickets.",
        "groups:",
        "  - name: postroad",
        "    rules:",
    ]
    for rule in RULES:
        for colour, severity in SEVERITIES:
            limit = rule.amber if colour == "amber" else rule.red
            lines += [
                f"      - alert: {rule.name}",
                f"        expr: {_text(f'{in_alert(rule.expression)} > {limit:g}')}",
                f"        for: {rule.hold}",
                f"        labels: {{severity: {severity}, colour: {colour}}}",
                "        annotations:",
                f"          summary: {_text(rule.says)}",
                f"          description: {_text(rule.means)}",
                f"          runbook: {_text(f'{rule.act} The cases: `{rule.command}`')}",
                f"          runbook_url: {_text(f'{runbook}#{rule.name.lower()}')}",
            ]
    return "\n".join(lines) + "\n"


def readme() -> str:
    """Per panel: what it shows, what red means, what to do."""
    lines = [
        "# Dashboards",
        "",
        "For Grafana 11 and later, on Prometheus. Import the JSON files, or have them provisioned; load",
        "[alerts.yaml](../deploy/prometheus/alerts.yaml) into Prometheus. All of it, and this page, is written by",
        "`python -m dashboards.build` from [pages.py](pages.py) and [rules.py](rules.py): edit those.",
        "",
        "Panels are amber and red by the rules of the alerts, drawn as dashed lines. Amber is a ticket, red a page. A",
        "panel's link names the command that shows the cases. The variable `runbook` says where this page is.",
        "",
    ]
    for page in PAGES:
        lines += [f"## {page.name}", "", page.question, ""]
        lines += ["| panel | shows | red | the cases |", "|---|---|---|---|"]
        for _, panels in page.rows:
            lines += [
                f"| {panel.title} | {_cell(panel.shows)} | {_link(panel)} | `{command_of(panel)}` |" for panel in panels
            ]
        lines.append("")
    lines += ["## When it is red", ""]
    for rule in RULES:
        lines += [
            f"### {rule.name}",
            "",
            f"Amber above {rule.amber:g}, red above {rule.red:g}, for {rule.hold}. {rule.means}",
            "",
            f"{rule.act} The cases: `{rule.command}`.",
            "",
        ]
    return "\n".join(lines).rstrip() + "\n"


def _link(panel: Panel) -> str:
    return f"[{panel.rule}](#{panel.rule.lower()})" if panel.rule else "never by itself"


def _cell(words: str) -> str:
    return words.replace("|", "\\|")


def _json(document: Json) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _text(words: str) -> str:
    return json.dumps(words, ensure_ascii=False)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--runbook", default=RUNBOOK, help="where dashboards/README.md is published")
    for path, text in files(asked.parse_args().runbook).items():
        (REPOSITORY / path).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
