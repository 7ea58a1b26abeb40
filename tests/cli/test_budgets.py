"""`postroad budgets`: who is near a limit, with the live counts (L1-L3)."""

from datetime import datetime, timedelta

from tests.cli.conftest import Running


def test_budgets_near_their_limit(running: Running) -> None:
    running.good("params", "set", "mail.gateway.loop.threshold", "5")
    mails = [running.mail() for _ in range(3)]
    assert running("budgets").err == "postroad: of 2 budgets none is used to 80% or more\n"
    mails.append(running.mail())
    told = {line["budget"]: line for line in running.lines("budgets")}
    assert list(told) == ["alias sales@example.com", "author sales@example.com bob@example.org"]
    mine = told["author sales@example.com bob@example.org"]
    assert (mine["count"], mine["limit"], mine["window"], mine["free_at"]) == (4, 5, 7200, None)
    assert "has room" in running.good("budgets")
    mails += [running.mail() for _ in range(2)]
    mine = running.lines("budgets")[1]
    assert (mine["count"], mine["blocked"], mine["shadow"]) == (5, 1, False)
    assert datetime.fromisoformat(mine["free_at"]) == mails[0].occurred_at + timedelta(hours=2)
    assert "5 of 5 within 120 minutes, 1 blocked; next place free at " in running.good("budgets")


def test_before_anything_ever_ran(stopped: Running) -> None:
    assert stopped("budgets").err.startswith("postroad: of 0 budgets none is used to 80% or more, but ")
