"""While the cameras run: newest frames in, skeletons out; recorded, sent, shown."""
