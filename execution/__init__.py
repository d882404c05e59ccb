"""What a program really does: anchors, sandbox, traces. Plain standard library."""
