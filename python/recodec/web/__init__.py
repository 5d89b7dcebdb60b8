"""Pictures in the browser: the page that decodes them as they arrive, what it needs, and a server for this machine."""

from recodec.web.server import PacedServer
from recodec.web.site import Site, site_of

__all__ = ["PacedServer", "Site", "site_of"]
