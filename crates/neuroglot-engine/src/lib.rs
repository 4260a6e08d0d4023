//! Operations of a neural population transformer with their gradients, on a device.
