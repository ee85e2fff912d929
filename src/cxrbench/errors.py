"""Errors that a user can act on; the command line prints them without a traceback."""


class CxrbenchError(Exception):
    """Something the user can mend; the message says what, which value, where, and the remedy."""


class ConfigError(CxrbenchError):
    """Settings that are unknown, contradictory or out of range."""


class DataError(CxrbenchError):
    """An archive, table, image, split or store that cannot be used as it is."""


class WeightsError(CxrbenchError):
    """Pre-trained weights that are absent or do not fit the network."""


class StudyError(CxrbenchError):
    """A study folder that cannot be continued or evaluated as it is."""


class TrainingError(CxrbenchError):
    """A run whose optimisation failed: the loss is not finite or exploded."""


class BundleError(CxrbenchError):
    """A bundle that cannot be made, read or trusted as it is."""


class IntegrityError(CxrbenchError):
    """A finished folder that is no longer what it was: a file changed, cut short, lost, or under another's name."""
