"""`make bench`: figures of one run on this machine, as ratios to a bare loop in the same run. Nothing is asserted."""

import tempfile
from pathlib import Path

from tests.benchmarks import directory, dispatch, fanout, ingest, mailboxes, observe, parse, pipeline, start
from tests.benchmarks.guard import budgets_per_second
from tests.benchmarks.routing import decisions_per_second


def main() -> None:
    print(f"pure routing decisions   {decisions_per_second():9,.0f} /s")
    print(f"pure guard decisions     {budgets_per_second():9,.0f} /s")
    for line in parse.report():
        print(f"reading: {line}")
    for line in ingest.report():
        print(f"door: {line}")
    for line in mailboxes.report():
        print(f"door: {line}")
    for line in fanout.report():
        print(f"large thread: {line}")
    for line in dispatch.report():
        print(f"dispatch: {line}")
    for line in observe.report():
        print(line)
    for line in start.report():
        print(f"start: {line}")
    _sizes()
    bare = pipeline.bare_rate()
    print(f"bare aiosmtpd handler    {bare:9,.0f} mails/s, the same client")
    for name, system in (("embedded", pipeline.embedded), ("six processes, one broker", pipeline.on_kafka)):
        with tempfile.TemporaryDirectory(prefix="postroad-bench-") as folder, system(Path(folder)) as running:
            accepted, through = pipeline.throughput(running)
            p50, p99 = pipeline.latencies(running)
            print(f"\n{name}")
            print(f"  accepted               {accepted:9,.0f} mails/s ({accepted / bare:.2f} of bare)")
            print(f"  to readable chatter    {through:9,.0f} mails/s ({through / bare:.2f} of bare)")
            print(f"  latency when idle      p50 {p50:.0f} ms, p99 {p99:.0f} ms")
            weighed = ", ".join(f"{process} {size:.0f} MB" for process, size in pipeline.memory(running).items())
            print(f"  resident memory        {weighed}")


def _sizes() -> None:
    for aliases, contacts in ((1_000, 10_000), (100_000, 1_000_000)):
        views, seconds, size = directory.views_filled(aliases, contacts)
        look_up = directory.look_up_microseconds(views, aliases, contacts)
        print(
            f"views                    {aliases:,} aliases, {contacts:,} contacts: {size:.0f} MB, "
            f"filled in {seconds:.1f} s, look-up {look_up:.1f} µs"
        )
    print(f"state of a Message-ID    {directory.settled_state_octets():9,.0f} octets")


if __name__ == "__main__":
    main()
