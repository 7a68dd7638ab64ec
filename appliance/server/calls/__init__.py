"""What a client may call.

A handler is given an argument that was judged already, calls one method of a monitor and words the answer; each file
holds those of one subject with their arguments. A refusal is raised as `Refused`; how it travels to the client is
`app`'s business.
"""

from appliance.server.calls.call_table import CALLS, carry_out
from appliance.server.calls.context import Caller, Context, Services

__all__ = ["CALLS", "Caller", "Context", "Services", "carry_out"]
