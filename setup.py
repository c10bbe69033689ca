"""Adds the assets, which stand at the top of the checkout, to the packages; all else is in pyproject.toml."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["convnext_studio*"]), "convnext_studio.assets"],
    package_dir={"convnext_studio.assets": "assets"},
)
