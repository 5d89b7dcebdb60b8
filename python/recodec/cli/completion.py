"""What a shell completes in the place of arguments and options; click knows commands and options by itself."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem


def file_names(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Files and folders, which the shell finds."""
    return [CompletionItem(begun, type="file")]


def folder_names(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Folders, which the shell finds."""
    return [CompletionItem(begun, type="dir")]


def models(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Ids of models; files of weights where none begins so."""
    from recodec.errors import SettingError
    from recodec.model_search import available_models

    try:
        ids = [model for model in available_models() if model.startswith(begun)]
    except SettingError:
        ids = []
    return [CompletionItem(model) for model in ids] or file_names(context, parameter, begun)
