"""Names of the files in a child's folder."""

from __future__ import annotations

JOB_FILE = "job.json"


ANSWER_FILE = "answer.json"


EVENTS_FILE = "events.jsonl"


LOG_FILE = "log.txt"


# Its appearance lets a worker that said it is ready go on.
GO_FILE = "go"


# In the log: what follows is the whole traceback; a row shows the contribution's own lines of it.
TRACE_MARK = "--- the whole traceback ---"
