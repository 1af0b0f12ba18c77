"""Measuring: metrics, edit tasks, reports."""
