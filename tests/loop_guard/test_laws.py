"""What holds for any mails in any order."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from postroad_schemas.chatter import RecordRequested
from postroad_schemas.mail import BudgetReturned, MailRouted
from postroad_schemas.message import MessageSettled
from tests.loop_guard.mails import ALIAS, AUTHOR, TYPE, WORDS, Guard, routed

CHAINS = ((AUTHOR,), (AUTHOR, ALIAS), (TYPE, AUTHOR), (WORDS, TYPE, ALIAS), ())


@dataclass(frozen=True)
class Arrival:
    mail: MailRouted
    again: int  # how many times more it comes, right after


def mails(chains: tuple[tuple[object, ...], ...] = CHAINS) -> st.SearchStrategy[list[Arrival]]:
    row = st.tuples(st.integers(0, 400), st.sampled_from(chains), st.sampled_from((0, 0, 1, 2)))
    return st.lists(row, max_size=25).map(
        lambda rows: [
            Arrival(routed(f"m{n}", minute, budgets), again)  # type: ignore[arg-type]
            for n, (minute, budgets, again) in enumerate(rows)
        ]
    )


def passed(guard: Guard) -> list[str]:
    return [emission.mail_id for emission in guard.out if isinstance(emission, RecordRequested)]


@given(arrivals=mails())
def test_never_more_than_the_limit_passes_in_any_window(arrivals: list[Arrival]) -> None:
    guard = Guard()
    for arrival in arrivals:
        guard.take(arrival.mail)
    through = set(passed(guard))
    for budget in (AUTHOR, ALIAS, TYPE):
        times = [a.mail.received_at for a in arrivals if a.mail.mail_id in through and budget in a.mail.budgets]
        for start in times:
            assert sum(0 <= (at - start).total_seconds() < budget.window for at in times) <= budget.limit


@given(arrivals=mails())
def test_repeats_change_nothing(arrivals: list[Arrival]) -> None:
    once, often = Guard(), Guard()
    for arrival in arrivals:
        said = once.take(arrival.mail)
        for _ in range(1 + arrival.again):
            assert often.take(arrival.mail) == said
    assert often.states == once.states
    for arrival in arrivals:
        told = [e for e in once.out if isinstance(e, MessageSettled) and e.mail_id == arrival.mail.mail_id]
        assert [e for e in often.take(arrival.mail) if isinstance(e, MessageSettled)] == told
        assert len(told) == 1
    assert often.states == once.states


@given(arrivals=mails(((AUTHOR,), (ALIAS,), (TYPE,))), turn=st.randoms(use_true_random=False))
def test_the_order_between_keys_does_not_matter(arrivals: list[Arrival], turn: object) -> None:
    one, other = Guard(), Guard()
    for arrival in arrivals:
        one.take(arrival.mail)
    queues = [[a.mail for a in arrivals if a.mail.budgets == (budget,)] for budget in (AUTHOR, ALIAS, TYPE)]
    while any(queues):
        queue = turn.choice([queue for queue in queues if queue])  # type: ignore[attr-defined]
        other.take(queue.pop(0))
    assert other.states == one.states
    assert sorted(passed(other)) == sorted(passed(one))


@given(arrivals=mails(((AUTHOR,),)), back=st.sets(st.integers(0, 24)))
def test_what_is_given_back_counts_no_more_and_never_again(arrivals: list[Arrival], back: set[int]) -> None:
    guard = Guard()
    for n, arrival in enumerate(arrivals):
        guard.take(arrival.mail)
        if n in back:
            mail = arrival.mail
            returned = BudgetReturned(
                event_id=f"r{n}", occurred_at=mail.received_at, trace_id="r", budget=AUTHOR.key, mail_id=mail.mail_id
            )
            guard.take(returned)
            guard.take(returned)
    state = guard.states.copy()
    for arrival in arrivals:
        guard.take(arrival.mail)
    assert guard.states == state
    assert not {f"m{n}" for n in back} & set(guard.counted(AUTHOR))
