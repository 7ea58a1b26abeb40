"""Each alert fires when it must and not a little before: by promtool, on series made for it."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from dashboards.rules import RULES

from tests.observe.prometheus import ALERTS, REPOSITORY, needs_prometheus

DEPLOYED = REPOSITORY / "deploy/prometheus"
DEPLOYED_RULES: list[dict[str, Any]] = yaml.safe_load(ALERTS.read_text("utf-8"))["groups"][0]["rules"]


@dataclass(frozen=True)
class Case:
    """Series of which `{}` becomes the value; `grows` where it is a counter, by the value at each step."""

    series: tuple[tuple[str, str], ...]  # the name with labels, the values in promtool's notation
    amber: float
    below: float
    red: float


def gauge(name: str, amber: float, red: float, near: float = 1.0) -> Case:
    """Exactly on the limit is not above it."""
    return Case(((name, "{}x120"),), amber=amber + near, below=amber, red=red + near)


def counter(name: str, amber: float, below: float, red: float) -> Case:
    """Values are what is added each minute."""
    return Case(((name, "0+{}x120"),), amber, below, red)


def share(of: str, all_: str, amber: float, red: float) -> Case:
    """Of 1000 a minute of `all_`, `of` among them or beside them."""
    return Case(((of, "0+{}x120"), (all_, "0+1000x120")), amber, amber / 2, red)


CASES: dict[str, Case] = {
    "PostroadDown": Case((('up{job="postroad",instance="a"}', "{}x120"),), amber=0, below=1, red=0),
    "PostroadNotReady": Case(
        (
            ('postroad_ready{job="postroad",instance="a"}', "{}x120"),
            ('postroad_worker_info{job="postroad",instance="a",worker="routing"}', "1x120"),
        ),
        amber=0,
        below=1,
        red=0,
    ),
    "PostroadLoopLate": gauge('postroad_loop_late_seconds{instance="a"}', 1, 5),
    "PostroadMailsUnsettled": gauge("postroad_mails_unsettled_oldest_seconds", 120, 900),
    "PostroadStageBehind": gauge('postroad_events_waiting_oldest_seconds{stage="routing"}', 60, 300),
    "PostroadHeldMails": gauge("postroad_held_oldest_seconds", 86400, 259200),
    "PostroadBudgetsNearLimit": gauge('postroad_budgets_near_limit{scope="author"}', 10, 50),
    "PostroadRetriesOverdue": Case((('postroad_retry_due_seconds{step="1h"}', "{}x120"),), -301, -300, -1801),
    "PostroadViewsStale": gauge('postroad_views_age_seconds{instance="a"}', 30, 300),
    "PostroadRecoverySlow": gauge('postroad_recovery_seconds{stage="routing"}', 60, 300),
    "PostroadDeadLetters": counter('postroad_dead_letters_total{worker="routing",reason="raised"}', 1, 0, 10),
    "PostroadLoopBlocks": counter('postroad_mails_held_total{rule="L1"}', 0.5, 0, 2),
    "PostroadBlacklistings": counter('postroad_blacklistings_total{rule="B4"}', 1, 0.2, 10),
    "PostroadStoreFails": counter('postroad_store_failures_total{operation="put"}', 1, 0, 10),
    "PostroadLogFails": counter('postroad_log_failures_total{what="session"}', 1, 0, 10),
    "PostroadRebalances": counter('postroad_rebalances_total{stage="routing"}', 0.2, 0.05, 2),
    "PostroadDoorRefuses": share(
        'postroad_mails_refused_total{door="smtp",code="451"}', 'postroad_mails_accepted_total{door="smtp"}', 200, 2000
    ),
    "PostroadDeliveriesFail": share(
        'postroad_deliveries_total{server="a",action="failed"}',
        'postroad_deliveries_total{server="a",action="relayed"}',
        200,
        600,
    ),
    "PostroadServerDelays": share(
        'postroad_deliveries_total{server="a",action="delayed"}',
        'postroad_deliveries_total{server="a",action="relayed"}',
        1500,
        20000,
    ),
    "PostroadBouncesRise": share(
        'postroad_bounces_total{source="report",action="failed",reason="user_unknown",family="5.1"}',
        'postroad_deliveries_total{server="a",action="relayed"}',
        60,
        150,
    ),
    "PostroadComplaints": share(
        "postroad_complaints_total", 'postroad_deliveries_total{server="a",action="relayed"}', 1.5, 4
    ),
    "PostroadEventsOld": Case(
        (
            ('postroad_event_age_seconds_bucket{stage="routing",le="60.0"}', "0+{}x120"),
            ('postroad_event_age_seconds_bucket{stage="routing",le="900.0"}', "0+100x120"),
            ('postroad_event_age_seconds_bucket{stage="routing",le="+Inf"}', "0+100x120"),
        ),
        amber=94,
        below=96,
        red=10,
    ),
    "PostroadStoreSlow": Case(
        (
            ('postroad_store_seconds_bucket{operation="put",le="0.5"}', "0+{}x120"),
            ('postroad_store_seconds_bucket{operation="put",le="10.0"}', "0+100x120"),
            ('postroad_store_seconds_bucket{operation="put",le="+Inf"}', "0+100x120"),
        ),
        amber=94.5,
        below=96,
        red=10,
    ),
}


COLOURS = ("amber", "red")


def promtool_test(alert: str, case: Case) -> dict[str, Any]:
    """Below the limit nothing fires, above amber's amber, above red's both."""
    at_once = alert in ("PostroadDown", "PostroadNotReady")  # 0 or 1: there is nothing between amber and red
    expected = {case.below: (0, 0), case.amber: (1, int(at_once)), case.red: (1, 1)}
    return {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": how.format(value)} for name, how in case.series],
                "promql_expr_test": [
                    {
                        "expr": f'count(ALERTS{{alertstate="firing",colour="{colour}"}}) > bool 0 or vector(0)',
                        "eval_time": "119m",
                        "exp_samples": [{"labels": "{}", "value": fires}],
                    }
                    for colour, fires in zip(COLOURS, outcome, strict=True)
                ],
            }
            for value, outcome in expected.items()
        ],
    }


def _promtool(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["promtool", *words], capture_output=True, text=True, timeout=60, check=False)


def test_every_alert_has_its_case() -> None:
    assert set(CASES) == {rule.name for rule in RULES}


@needs_prometheus
@pytest.mark.parametrize(("alert", "case"), [pytest.param(name, case, id=name) for name, case in sorted(CASES.items())])
def test_an_alert_fires_when_it_must_and_not_before(alert: str, case: Case, tmp_path: Path) -> None:
    rules = [rule for rule in DEPLOYED_RULES if rule["alert"] == alert]
    assert [rule["labels"]["colour"] for rule in rules] == [*COLOURS]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "one", "rules": rules}]}))
    path = tmp_path / "test.yaml"
    path.write_text(yaml.safe_dump(promtool_test(alert, case)))
    done = _promtool("test", "rules", str(path))
    assert done.returncode == 0, done.stdout + done.stderr


@needs_prometheus
@pytest.mark.parametrize("name", ["alerts.yaml", "prometheus.yaml"])
def test_prometheus_takes_the_file(name: str) -> None:
    kind = "rules" if name == "alerts.yaml" else "config"
    done = _promtool("check", kind, str(DEPLOYED / name))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "rule", [pytest.param(rule, id=f"{rule['alert']} {rule['labels']['colour']}") for rule in DEPLOYED_RULES]
)
def test_an_alert_says_what_to_do(rule: dict[str, dict[str, str]]) -> None:
    assert set(rule["annotations"]) == {"summary", "description", "runbook", "runbook_url"}
    assert all(words.strip() for words in rule["annotations"].values())
    assert rule["labels"]["severity"] in ("ticket", "page")


def test_trouble_with_mail_is_never_announced_by_mail() -> None:
    """What cannot be sent cannot tell that it cannot be sent."""
    settings = yaml.safe_load((DEPLOYED / "alertmanager.yaml").read_text())
    assert [receiver["name"] for receiver in settings["receivers"] if receiver.get("webhook_configs")]
    assert [receiver["name"] for receiver in settings["receivers"] if "email_configs" in receiver] == []
    named = {receiver["name"] for receiver in settings["receivers"]}
    routes = [settings["route"], *settings["route"]["routes"]]
    assert {route["receiver"] for route in routes} == named
