"""Scorers: each benchmark's verdict on answers, as its published code gives it and as we stand by."""
