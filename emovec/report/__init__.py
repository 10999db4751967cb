"""Figures and tables for people, made from results."""
