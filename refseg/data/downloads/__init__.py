"""Getting the files of the known data sets, from mirrors or from what the user has."""

from refseg.data.downloads.delivery import Delivery
from refseg.data.downloads.listener import Listener
from refseg.data.downloads.mirrors import Patience, fetch

__all__ = ["Delivery", "Listener", "Patience", "fetch"]
