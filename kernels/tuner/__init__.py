"""The tuner: what is tried of each kernel on the GPU that is here, and the fastest tiles written down."""
