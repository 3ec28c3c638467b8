"""What can be wrong with a user's data, one class a kind.

Every message is one line that says what is wrong, where, and what to do. The command line prints it and exits with 1.
"""


class Mv3dError(Exception):
    """Base of the errors that a user can mend."""


class CalibrationError(Mv3dError):
    """The rig or a calibration cannot be used."""


class VideoError(Mv3dError):
    """A video or an image folder cannot be read, or does not fit the others."""


class FormatError(Mv3dError):
    """A file does not hold what its format promises."""


class ConfigError(Mv3dError):
    """A setting is unknown or out of range."""


class SessionError(Mv3dError):
    """A session folder lacks something or holds results that would be lost."""


class ReconstructionError(Mv3dError):
    """The data holds no person that could be reconstructed."""


class CaptureError(Mv3dError):
    """A camera cannot be opened or does not deliver."""
