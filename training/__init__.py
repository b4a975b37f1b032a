"""Makes `plugins/detectors/models/people.onnx`: the person detector that ships with the hub."""
