"""The one error of the demo: something the user can put right."""


class DemoError(Exception):
    """Bad input, told in one line that names the file, the column or the id."""
