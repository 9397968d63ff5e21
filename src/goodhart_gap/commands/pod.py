"""`pod`: rent a RunPod machine and run the workflow there."""

from pathlib import Path
from typing import Annotated

import typer

pods = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown")

PodFile = Annotated[
    Path, typer.Argument(help="File of the pod (config/pods/...).", show_default=False)
]
PodName = Annotated[str, typer.Argument(help="Name of the pod.", show_default=False)]


@pods.callback()
def pod() -> None:
    """Rent a RunPod machine, run the workflow there, and give it back.

    A pod is described by a file. Large files go to S3 as they are made, all others every few
    minutes, so a pod may stop or die at any time and another one goes on. Needs RUNPOD_API_KEY and
    `pip install 'goodhart-gap[runpod]'`.

    **Example**

        goodhart-gap pod create config/pods/qwen2-72b-n100.yaml
    """


@pods.command()
def create(
    file: PodFile,
    detach: Annotated[bool, typer.Option("--detach", help="Do not follow it.")] = False,
) -> None:
    """Create a pod that fits the plan, follow it, and stop it at its end."""
    from goodhart_gap.operations.pods import launcher
    from goodhart_gap.operations.pods.api import PodApi
    from goodhart_gap.operations.pods.prediction import predict
    from goodhart_gap.operations.pods.settings import read_pod_settings

    settings, api = read_pod_settings(file), PodApi()
    predicted = predict(settings)
    launcher.forget_end(settings)
    launcher.create(settings, predicted, api)
    if detach:
        print(f"follow it with `goodhart-gap pod watch {file}`")
        return
    raise typer.Exit(launcher.watch(settings, api))


@pods.command()
def watch(file: PodFile) -> None:
    """Follow a pod, and stop it at its end."""
    from goodhart_gap.operations.pods import launcher
    from goodhart_gap.operations.pods.api import PodApi
    from goodhart_gap.operations.pods.settings import read_pod_settings

    raise typer.Exit(launcher.watch(read_pod_settings(file), PodApi()))


@pods.command("list")
def list_() -> None:
    """List all pods of the account."""
    from goodhart_gap.operations.pods.api import PodApi
    from goodhart_gap.operations.pods.launcher import pods_text

    print(pods_text(PodApi().pods()) or "no pods")


@pods.command()
def status(name: PodName) -> None:
    """Say what a pod is doing, and what it has cost."""
    from goodhart_gap.operations.pods.api import PodApi
    from goodhart_gap.operations.pods.launcher import find, pods_text

    print(pods_text([find(name, PodApi())]))


@pods.command()
def stop(name: PodName) -> None:
    """Stop a pod; its volume stays."""
    from goodhart_gap.operations.pods.api import PodApi
    from goodhart_gap.operations.pods.launcher import find

    api = PodApi()
    api.stop(find(name, api))


@pods.command()
def delete(name: PodName) -> None:
    """Delete a pod and its volume."""
    from goodhart_gap.operations.pods.api import PodApi
    from goodhart_gap.operations.pods.launcher import find

    api = PodApi()
    api.delete(find(name, api))
