"""Gets the files of the known data sets, from mirrors or from what the user has.

In come an entry of the catalog and a root, out come its files at their places under the root. Open
`delivery` first.
"""

from refseg.data.downloads.delivery import Delivery, download_path
from refseg.data.downloads.http import Partial
from refseg.data.downloads.mirrors import Patience, fetch
from refseg.data.downloads.progress import Listener

__all__ = ["Delivery", "Listener", "Partial", "Patience", "download_path", "fetch"]
