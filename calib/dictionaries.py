"""OpenCV's dictionaries of markers, by name."""

import cv2


def marker_dictionary(name: str) -> cv2.aruco.Dictionary:
    """The dictionary of a name as OpenCV has it, e.g. DICT_4X4_50."""
    return cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, name))


def check_dictionary(name: str | None, example: str) -> None:
    """ValueError, with the example, if OpenCV has no such dictionary."""
    if name is None or not (name.startswith("DICT_") and hasattr(cv2.aruco, name)):
        raise ValueError(f"dictionary is {name!r}, one of OpenCV's is wanted, e.g. {example}")


def check_numbers(what: str, first: int, last: int, dictionary: str) -> None:
    """ValueError, beginning with `what` the board has, if the dictionary lacks a number from `first` to `last`."""
    known = len(marker_dictionary(dictionary).bytesList)
    if first < 0 or last >= known:
        raise ValueError(f"the board has {what}, {dictionary} only {known}")
