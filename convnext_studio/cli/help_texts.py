"""What the help of every command ends with: examples, and what its exit status means."""

import argparse
import shutil
import textwrap

# By command; the window's own are under the empty name. Each is tested to be understood.
EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "": (
        ("cat.jpg dog.png", "open two pictures with the model that comes with the program"),
        ("--model timm:convnext_tiny.fb_in1k cat.jpg", "with published weights, fetched once"),
        (
            "--model weights.pth --stem-stride 1 --stem-padding 1",
            "a file, and what its tensors cannot tell",
        ),
        ("cat.jpg --present", "present the lecture, full screen"),
        ("cat.jpg --screenshot window.png --size 1920x1080", "the window as a picture, without a display"),
    ),
    "export": (
        ("cat.jpg --out results", "all figures and arrays of a picture into results/cat"),
        ("cat.jpg dog.jpg --out results --node stage3 --target cat", "why a cat, at stage 3, of two pictures"),
        ("cat.jpg --out results --method integratedgradients --faithfulness", "with insertion and deletion"),
    ),
    "erf": (
        ("--images photos --out field", "RepLKNet's protocol over fifty pictures of a folder"),
        ("--noise --protocol centred --out field --subject random", "against random weights, over noise"),
        ("--images photos --out field --count 500", "go on where fifty were averaged"),
    ),
    "train": (
        ("pictures --out pets.safetensors --epochs 30", "one folder of pictures for each class"),
        ("pictures --out pets.safetensors --resume", "go on after an interruption, with the same result"),
        (
            "pictures --teacher big.safetensors --write-soft-targets soft.npz",
            "what a trained model thinks of them",
        ),
        ("pictures --out pets.safetensors --soft-targets soft.npz", "learn from that, too (distillation)"),
    ),
    "evaluate": (("pets.safetensors pictures/val", "accuracy, its interval, classes and confusions"),),
    "handout": (
        ("--out lecture.pdf", "the lecture that comes with the program, one page for each step"),
        ("cat.jpg --out lecture.html --lecture my-lecture", "your own, on your own picture"),
    ),
    "models": (("", "all that --model opens"), ("--json", "the same, for other programs")),
    "doctor": (("", "what this machine has and lacks"),),
    "install-desktop-entry": (
        ("", "an entry and an icon in this person's menu"),
        ("--uninstall", "take them away again"),
    ),
    "completion": (
        ("bash > ~/.local/share/bash-completion/completions/convnext-studio", "for bash"),
        ("zsh > ~/.zfunc/_convnext-studio", "for zsh, where ~/.zfunc is in $fpath"),
        ("fish > ~/.config/fish/completions/convnext-studio.fish", "for fish"),
    ),
}

_EXIT_STATUS = """\
exit status:
  0    done
  1    something could not be done; standard error says what, a line each
  2    the arguments are wrong, or the installation lacks something
  130  interrupted by Ctrl+C
  143  ended by the system (SIGTERM)"""


def documented(parser: argparse.ArgumentParser, command: str) -> argparse.ArgumentParser:
    """The parser of a command, whose help ends with examples and the exit status."""
    width = min(shutil.get_terminal_size().columns - 2, 100)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = textwrap.fill(parser.description or "", width)
    prefix = f"convnext-studio {command}".rstrip()
    lines = [f"  {prefix} {arguments}".rstrip() + f"\n      {text}" for arguments, text in EXAMPLES[command]]
    parts = [parser.epilog or "", "examples:\n" + "\n".join(lines), _EXIT_STATUS]
    parser.epilog = "\n\n".join(part.rstrip() for part in parts if part)
    return parser
