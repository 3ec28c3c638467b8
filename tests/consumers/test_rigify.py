from mv3d.motion.retarget import RETARGETS


def test_names_are_those_of_the_metarig(consumer) -> None:
    found = consumer("bpy", "rigify_names.py")
    assert set(RETARGETS["rigify"].joints.values()) <= set(found["names"])
