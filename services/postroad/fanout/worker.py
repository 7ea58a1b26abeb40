"""Worker `fanout`: keeps each thread's followers and turns posts and refusals into messages for people."""

from postroad.fanout.notice_files import load
from postroad.fanout.refusal_notice import notices
from postroad.fanout.threads import THREADS
from postroad.runtime.worker import Worker

NOTICES = notices(load())

WORKER = Worker(name="fanout", stages=(THREADS, NOTICES), tables=("directory", "contacts", "suppressions"))
