"""Every peilingctl command in the documents is one that peilingctl takes: nothing it does not know, nothing left out."""

import concurrent.futures
import os
import pathlib
import re
import shlex
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PEILINGCTL = pathlib.Path(os.environ["PEILING_BIN"]) / "peilingctl"
USAGE_ERROR = 2
# Where nobody listens: a command that reads is refused for that, and not for how it is written.
NOWHERE = ["--server", "127.0.0.1:1", "--timeout", "100ms"]
# What a line of a document has beside the command: a comment, a pipe, another command, where output goes.
BEYOND = re.compile(r"\s+(#|\||>|>>|&&|2>)\s*|\s{3,}|;|\s+\\$|\)$")
# Not to be run as they stand: they show a form, or would wait.
FORM = re.compile(r"…|\.\.\.|\[|COMMAND|\w\|\w|\bDATE\b|SEQUENCE-1|--help")


def documented():
    """[(where, words, whole)] of every command that is named; those in blocks are whole."""
    found = []
    for document in [ROOT / "README.md", *sorted(ROOT.glob("[!.]*/**/*.md"))]:
        if {"node_modules", "build", "var"} & set(document.relative_to(ROOT).parts):
            continue
        for number, line in enumerate(document.read_text().splitlines(), 1):
            for text, whole in commands_in(line):
                where = f"{document.relative_to(ROOT)}:{number}"
                try:
                    found.append((where, shlex.split(text), whole))
                except ValueError:
                    raise AssertionError(f"{where}: {text}: quotes that do not end") from None
    return found


def commands_in(line):
    pieces = [(text, False) for text in re.findall(r"`((?:build/bin/)?peilingctl [^`]+)`", line)]
    block = re.match(r"\s{4,}(?:\$ )?(?:[A-Z_]+=\S+ )*(?:build/bin/)?(peilingctl .*)", line)
    if block:
        pieces.append((block.group(1), True))
    for piece, whole in pieces:
        command = re.sub(r"^(build/bin/)?peilingctl\s+", "", BEYOND.split(piece, maxsplit=1)[0]).strip()
        if command and not FORM.search(command) and not command.startswith("-"):
            yield command, whole


def refusal(command, folder):
    """What peilingctl has against how a command is written; "" when it has nothing."""
    run = subprocess.run([PEILINGCTL, *NOWHERE, *command], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    return run.stderr if run.returncode == USAGE_ERROR else ""


class DocumentedCommands(unittest.TestCase):
    def test_each_is_taken(self):
        commands = documented()
        self.assertGreater(len(commands), 80)
        with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(8) as pool:
            refusals = pool.map(lambda command: refusal(command[1], folder), commands)
            for (where, words, whole), said in zip(commands, refusals):
                with self.subTest(where, command=" ".join(words)):
                    # In a sentence the name of a command may stand for all of it.
                    self.assertTrue(not said or (not whole and "required" in said), said)


if __name__ == "__main__":
    unittest.main()
