"""Run a Caffe net by cv2.dnn of OpenCV 4 and keep the outputs of all layers asked for; in an environment of its own.

python run_opencv.py NET.prototxt NET.caffemodel INPUT.npy LAYERS.txt OUT.npz
"""

import sys

import cv2
import numpy as np


def main() -> None:
    prototxt, caffemodel, image, layers, out = sys.argv[1:]
    net = cv2.dnn.readNetFromCaffe(prototxt, caffemodel)
    net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    net.enableFusion(False)  # fused layers would have the outputs of their activations
    net.setInput(np.load(image), "image")
    with open(layers) as file:
        names = file.read().split()
    np.savez(out, **dict(zip(names, net.forward(names), strict=True)))


if __name__ == "__main__":
    main()
