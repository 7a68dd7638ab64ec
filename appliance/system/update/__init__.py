"""The image's roots, RAUC, and the folder in which an update is ordered and recorded."""
