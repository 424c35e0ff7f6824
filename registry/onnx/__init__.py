"""ONNX models: reading, facts, sessions. Knows nothing of users or stores."""
