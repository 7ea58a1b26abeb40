"""`POST /leave/HANDLE`: the recipient of a bulk message leaves its list by one click (O6, RFC 8058).

GET shows a page with a button and leaves nothing: scanners follow every link in a mail, and press no buttons.
"""

import asyncio

from aiohttp import web

from postroad.ingest.doors.pages.answers import Refused, not_now, page
from postroad.ingest.doors.pages.intake import Intake
from postroad.mail.leave import left_by
from postroad.runtime.worker import Tools, Unavailable
from postroad_schemas import event_id
from postroad_schemas.outbound import LeaveAsked

FIELD, VALUE = "List-Unsubscribe", "One-Click"  # RFC 8058 3.1
MOST = 4096  # octets of a form
NOT_OURS = "this link is not one of ours: open it as it stands in the mail"

_FORM = f"""<p>You will get no more mails of it.</p>
<form method="post"><input type="hidden" name="{FIELD}" value="{VALUE}"><button>Leave the list</button></form>"""


class LeavePage:
    """Nobody needs a token here: the handle is one."""

    def __init__(self, tools: Tools, intake: Intake) -> None:
        self._tools, self._intake = tools, intake

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/leave/{handle}", self._get), web.post("/leave/{handle}", self._post)]

    async def _get(self, request: web.Request) -> web.StreamResponse:
        self._notification(request)
        return page("Leave this list?", _FORM)

    async def _post(self, request: web.Request) -> web.StreamResponse:
        notification_id = self._notification(request)
        with self._intake.taking(self._intake.announced(request, MOST, "a form may be")):
            if await self._asked(request) != VALUE:
                raise Refused(400, f"post the form {FIELD}={VALUE} (RFC 8058)")
            # Of its notification alone: to ask twice is to ask once.
            new_id = event_id("leave", notification_id)
            now = self._tools.clock()
            asked = LeaveAsked(
                event_id=new_id, occurred_at=now, trace_id=new_id, notification_id=notification_id, how="one-click"
            )
            try:
                await self._tools.publish([asked])
            except Unavailable as error:
                raise not_now("your wish cannot be kept") from error
        return page("You have left the list", "<p>What is on its way already may still come.</p>")

    def _notification(self, request: web.Request) -> str:
        """Raises Refused."""
        found = left_by(self._tools.views.keys, request.match_info["handle"])
        if found is None:
            raise Refused(404, NOT_OURS)
        return found

    async def _asked(self, request: web.Request) -> str:
        """The form's one field, urlencoded or multipart. Raises Refused."""
        try:
            async with asyncio.timeout(self._tools.config.http.body_timeout):
                form = await request.clone(client_max_size=MOST).post()
        except TimeoutError as error:
            raise Refused(408, "the form did not come in time") from error
        except (ValueError, LookupError, OSError) as error:
            raise Refused(400, f"the form cannot be read: post {FIELD}={VALUE}") from error
        value = form.get(FIELD, "")
        return value if isinstance(value, str) else ""
