"""A film set: a rigged, clothed human, rooms, lights and cameras, rendered to images whose truth is exact."""
