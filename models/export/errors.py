"""The one error of the exporter that is meant for the person at the command line."""


class ExportError(Exception):
    """A mistake in the input, said in one or two plain lines; never a bug of the exporter."""
