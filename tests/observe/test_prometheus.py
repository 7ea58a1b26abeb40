"""Every query of every dashboard, asked of a real Prometheus that scraped the running pipeline."""

import asyncio
import math
import time
from collections.abc import Iterator
from typing import Any

import pytest
from dashboards.build import in_alert, queries
from dashboards.pages import PAGES
from dashboards.rules import RULES, Rule

from postroad.runtime.broker_files.loopback import free_ports
from tests.observe.flow import Flow, flowing
from tests.observe.prometheus import Prometheus, needs_prometheus, prometheus
from tests.support.six import until
from tests.support.thread_loop import in_thread

pytestmark = [needs_prometheus, pytest.mark.slow]
ROUNDS = 8
CHOICE = {"$job": ".+", "$instance": ".+", "$__rate_interval": "10s"}

# What one machine without Kafka has not: there the query is right when it says nothing.
OF_CLUSTERS = {"postroad_recovery_seconds", "postroad_rebalances_total"}

QUERIES = [
    pytest.param(expression, id=f"{page.name}: {panel.title} {number}")
    for page in PAGES
    for _, panels in page.rows
    for panel in panels
    for number, (expression, _) in enumerate(queries(panel))
]

# What the mail of the rounds must have left behind.
COUNTED = {
    'postroad_mails_accepted_total{door="smtp"}': "accepted",
    'postroad_mails_settled_total{outcome="delivered",rule="R9"}': "a decision by its rule",
    'postroad_mails_settled_total{outcome="duplicate",rule="R1"}': "a duplicate that was suppressed",
    'postroad_mails_held_total{rule="L1"}': "held by the loop guard",
    'postroad_held_mails{rule="L1"}': "what waits for a person",
    "postroad_held_oldest_seconds": "and since when",
    'postroad_refusals_total{reason="catchall",told="yes"}': "refused, and the sender told",
    'postroad_budgets_near_limit{scope="author"}': "a budget near its limit",
    'postroad_dead_letters_total{worker="routing",reason="invalid"}': "a dead letter",
    'postroad_deliveries_total{server="default",action="relayed"}': "sent",
    'postroad_deliveries_total{server="default",action="failed"}': "refused by the server",
    'postroad_deliveries_total{server="default",action="delayed"}': "put off by the server",
    'postroad_retries_total{step="1m"}': "to be tried again",
    'postroad_events_waiting{topic="outbound.deferred.1m"}': "waiting in its tier",
    'postroad_retry_due_seconds{step="1m"}': "and until when",
    'postroad_bounces_total{source="report",action="failed",reason="user_unknown",family="5.1"}': "a bounce",
    'postroad_red_envelopes_total{failure="refused"}': "a red envelope",
    "postroad_complaints_total": "a complaint",
    'postroad_blacklistings_total{rule="B5"}': "a blacklisting",
    'postroad_store_seconds_count{operation="put"}': "a mail stored",
    'postroad_event_age_seconds_count{stage="threads"}': "an event at its stage",
    "postroad_directory_version": "the directory",
    'postroad_ready{job="postroad"}': "ready",
}


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that has seen some rounds of mail."""
    folder = tmp_path_factory.mktemp("observed")
    (folder / "postroad").mkdir()
    with (
        in_thread(flowing(folder / "postroad", free_ports(1)[0])) as flow,
        prometheus(folder, flow.metrics_port) as running,
    ):
        _play(flow, running)
        yield running


def _play(flow: Flow, asked: Prometheus) -> None:
    for _ in range(ROUNDS):
        asyncio.run_coroutine_threadsafe(flow.round(), flow.loop).result(60)
        _scrape(asked)  # so that more than one sees the counters grow
    until("the alerts are not judged", lambda: all(rule["health"] != "unknown" for rule in _rules(asked)))


def _scrape(asked: Prometheus) -> None:
    """Returns when a scrape has begun after the call, and ended."""
    now = time.time()
    until("no scrape", lambda: any(at > now for _, at in asked.query('timestamp(up{job="postroad"})')))


def _rules(asked: Prometheus) -> list[dict[str, Any]]:
    [group] = asked.ask("rules")["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


@pytest.mark.parametrize("expression", QUERIES)
def test_a_panel_shows_something(asked: Prometheus, expression: str) -> None:
    for name, value in CHOICE.items():
        expression = expression.replace(name, value)
    found = asked.query(expression)
    assert any(not math.isnan(value) for _, value in found), f"{expression}: {found}"


@pytest.mark.parametrize("series", [pytest.param(name, id=words) for name, words in COUNTED.items()])
def test_what_happened_was_counted(asked: Prometheus, series: str) -> None:
    assert [value for _, value in asked.query(series) if value > 0], asked.query(series.partition("{")[0])


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule.name) for rule in RULES])
def test_an_alert_has_something_to_judge(asked: Prometheus, rule: Rule) -> None:
    expression = in_alert(rule.expression)
    if not any(name in expression for name in OF_CLUSTERS):
        assert asked.query(expression)


def test_alerts_are_evaluated_without_error(asked: Prometheus) -> None:
    assert [(rule["name"], rule.get("lastError")) for rule in _rules(asked) if rule["health"] != "ok"] == []


def test_a_dead_letter_and_a_loop_are_told(asked: Prometheus) -> None:
    """Those alerts that wait for nothing fire for what the rounds did; a red one does not for a few."""

    def firing() -> set[tuple[str, str]]:
        return {(it["labels"]["alertname"], it["labels"]["colour"]) for it in asked.ask("alerts")["alerts"]}

    until("", lambda: {("PostroadDeadLetters", "amber"), ("PostroadLoopBlocks", "amber")} <= firing())
    assert ("PostroadDeadLetters", "red") not in firing()


def test_no_address_is_in_any_label(asked: Prometheus) -> None:
    series = asked.ask("series", **{"match[]": '{__name__=~"postroad_.*"}'})
    assert len(series) > 100
    assert [labels for labels in series for name, value in labels.items() if "@" in value] == []
