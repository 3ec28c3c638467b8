"""Blender: an empty for every joint of every person, moved by the messages of `mv3d live --udp 127.0.0.1:9000`.

Open it in Blender's text editor and run it. Needs nothing but Blender; docs/live.md describes the messages.
"""

import json
import socket

import bpy

PORT = 9000
INTERVAL = 1 / 60


def newest(listener):
    """The last message that has come; None if there is none."""
    message = None
    while True:
        try:
            message = listener.recv(65536)
        except BlockingIOError:
            return None if message is None else json.loads(message)


def show(message):
    """Move the empties; those of joints that are missing are hidden."""
    shown = set()
    for person in message["people"]:
        for name, (x, y, z, _) in person["joints"].items():
            key = f"person{person['id']}_{name}"
            empty = bpy.data.objects.get(key)
            if empty is None:
                empty = bpy.data.objects.new(key, None)
                empty.empty_display_type, empty.empty_display_size = "SPHERE", 0.04
                bpy.context.scene.collection.objects.link(empty)
            empty.location, empty.hide_viewport = (x, y, z), False
            shown.add(key)
    for thing in bpy.data.objects:
        if thing.name.startswith("person") and thing.name not in shown:
            thing.hide_viewport = True


def start(port=PORT):
    """Listen; Blender looks for messages 60 times a second."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind(("127.0.0.1", port))
    listener.setblocking(False)

    def tick():
        message = newest(listener)
        if message is not None:
            show(message)
        return INTERVAL

    bpy.app.timers.register(tick)


if __name__ == "__main__":
    start()
