"""Completion scripts in the shells that they are for, and man pages."""
import os
import pty
import re
import select
import shlex
import subprocess
import time
import unittest
from pathlib import Path

from firn_cli import FIRN, FirnTest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 30
CONTROLS = re.compile(r"\x1b\[[?0-9;]*[A-Za-z]|\x07")


class Terminal:
    """A shell at a terminal, killed at the end."""

    def __init__(self, command, folder):
        self.main, other = pty.openpty()
        environment = {"PATH": f"{FIRN.parent}:{os.environ['PATH']}", "HOME": str(folder), "TERM": "dumb", "PS1": "$ ",
                       "LC_ALL": "C.UTF-8"}
        self.shell = subprocess.Popen(command, stdin=other, stdout=other, stderr=other, cwd=folder, env=environment,
                                      start_new_session=True)
        os.close(other)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shell.kill()
        self.shell.wait()
        os.close(self.main)

    def type(self, keys):
        os.write(self.main, keys.encode())

    def read_until(self, *expected):
        """What the terminal shows, up to and with all of `expected`, or as far as it came in time."""
        shown, deadline = "", time.monotonic() + PATIENCE_S
        while not all(text in shown for text in expected) and time.monotonic() < deadline:
            if select.select([self.main], [], [], 0.1)[0]:
                shown = CONTROLS.sub("", shown + os.read(self.main, 65536).decode(errors="replace"))
        return shown


class Completion(FirnTest):
    def setUp(self):
        super().setUp()
        (self.folder / "my folder").mkdir()
        (self.folder / "my photo").touch()

    def script(self, shell):
        path = self.folder / f"completion.{shell}"
        path.write_text(self.succeed("completion", shell))
        self.assertEqual(self.run_program(shell, "-n", path).stderr, "")
        return path

    def assert_completed(self, shell, prepare, keys, *expected):
        """`keys` typed at the prompt of a shell that has run `prepare`."""
        with self.subTest(keys), Terminal(shell, self.folder) as terminal:
            terminal.type(f"{prepare}; echo REA''DY\n")  # the echo of what is typed does not have the word
            terminal.read_until("READY\r\n")
            terminal.type(keys)
            shown = terminal.read_until(*expected)
            for text in expected:
                self.assertIn(text, shown)

    def assert_completes(self, shell, prepare):
        for keys, expected in (("firn ti\t", "firn tier "), ("firn tier s\t", "firn tier set "),
                               ("firn mount --fo\t", "--foreground "), ("firn cat my\\ p\t", "my\\ photo "),
                               ("firn cat 'my p\t", "'my photo' "), ("firn mount my\t", "my\\ folder/"),
                               ("firn help tier wa\t", "tier warm "), ("firn mount s3://b/p my\t", "p my\\ folder/"),
                               ("firn init --key-file=my\\ p\t", "file=my\\ photo ")):
            self.assert_completed(shell, prepare, keys, expected)
        self.assert_completed(shell, prepare, "firn tier \t\t", "evict", "flush", "ls", "set", "warm")


class Bash(Completion):
    def words(self, *line):
        """What _firn offers when the last of `line` is completed."""
        line = " ".join(shlex.quote(word) for word in line)
        done = self.run_program("bash", "-c", f"source {self.script('bash')}; COMP_WORDS=({line}); "
                                "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _firn; printf '%s\\n' \"${COMPREPLY[@]}\"")
        self.assertEqual(done.stderr, "")
        return done.stdout.split()

    def test_words(self):
        for line, offered in ((("firn", "ti"), ["tier"]), (("firn", "tier", ""), ["ls", "flush", "evict", "warm", "set"]),
                              (("firn", "mount", "--"), ["--help", "--cache", "--key-file", "--announce", "--rewind", "--foreground",
                                                       "--json"]),
                              (("firn", "init", "--compress", ""), ["zstd", "lz4", "none"]),
                              (("firn", "init", "--compress", "=", "l"), ["lz4"]),
                              (("firn", "--url", "tier", "ti"), ["tier"]),
                              (("firn", "completion", ""), ["bash", "zsh", "fish"]),
                              (("firn", "migrate", "--on-conflict", "n"), ["newer"]),
                              (("firn", "help", "key", ""), ["change"]), (("firn", "mkdir", "-m", "7"), []),
                              (("firn", "token", "revoke", "volume", ""), []), (("firn", "version", ""), [])):
            with self.subTest(line):
                self.assertEqual(self.words(*line), offered)

    def test_every_command_that_the_help_lists(self):
        listed = re.findall(r"^  ([a-z]+) {2,}", self.succeed("help").split("Subcommands:")[1], re.MULTILINE)
        self.assertIn("mount", listed)
        self.assertEqual(self.words("firn", ""), listed)

    def test_at_a_terminal(self):
        self.assert_completes(["bash", "--norc", "-i"], f"source {self.script('bash')}")
        self.assert_completed(["bash", "--norc", "-i"], f"source {self.script('bash')}", "firn init --compress=z\t", "=zstd ")


class Zsh(Completion):
    def test_sourced(self):
        prepare = f"autoload -Uz compinit && compinit -D -u; source {self.script('zsh')}"
        self.assert_completes(["zsh", "-f", "-i"], prepare)
        self.assert_completed(["zsh", "-f", "-i"], prepare, "firn init --compress=z\t", "zstd ")

    def test_found_in_a_folder(self):
        (self.folder / "site").mkdir()
        self.script("zsh").rename(self.folder / "site" / "_firn")
        prepare = f"fpath=({self.folder}/site $fpath); autoload -Uz compinit && compinit -D -u"
        self.assert_completed(["zsh", "-f", "-i"], prepare, "firn tier s\t", "firn tier set ")


class Fish(Completion):
    def offered(self, line):
        done = self.run_program("fish", "--no-config", "-c", f"source {self.script('fish')}; complete -C {shlex.quote(line)}",
                                cwd=self.folder, env={**os.environ, "HOME": str(self.folder)})
        self.assertEqual(done.stderr, "")
        return dict((line + "\t").split("\t")[:2] for line in done.stdout.splitlines())

    def test_words_and_what_they_mean(self):
        self.assertEqual(self.offered("firn tier ")["flush"], "Upload what is pending")
        self.assertEqual(set(self.offered("firn tier ")), {"evict", "flush", "ls", "set", "warm"})
        self.assertEqual(set(self.offered("firn mount --")),
                         {"--announce", "--cache", "--foreground", "--help", "--json", "--key-file", "--rewind"})

    def test_values(self):
        for line, offered in (("firn ti", {"tier"}), ("firn init --compress ", {"zstd", "lz4", "none"}),
                              ("firn init --compress=l", {"--compress=lz4"}), ("firn help key ", {"change"}),
                              ("firn --url tier ti", {"tier"}), ("firn cat my", {"my folder/", "my photo"}),
                              ("firn cat my\\ p", {"my photo"}), ("firn mount my", {"my folder/"}),
                              ("firn mount --key-file=my\\ p", {"--key-file=my photo"}),
                              ("firn token revoke volume ", set()), ("firn version ", set())):
            with self.subTest(line):
                self.assertEqual(set(self.offered(line)), offered)


class ManPages(FirnTest):
    def setUp(self):
        super().setUp()
        done = self.run_program(ROOT / "scripts/man-pages", self.folder / "man", env={**os.environ, "FIRN": str(FIRN)})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.pages = {page.stem: page for page in (self.folder / "man").iterdir()}

    def commands(self, *path):
        """The paths of all commands, as the help lists them."""
        found = [path]
        for name in re.findall(r"^  ([a-z]+) {2,}", self.succeed("help", *path).partition("Subcommands:")[2].split("\n\n")[0],
                               re.MULTILINE):
            found += self.commands(*path, name)
        return found

    def test_every_command_has_one(self):
        commands = self.commands()
        self.assertIn(("tier", "set"), commands)
        self.assertEqual(set(self.pages), {"-".join(["firn", *path]) for path in commands})
        for path in commands:
            self.assertEqual(self.pages["-".join(["firn", *path])].read_text(), self.succeed("help", "--man", *path))

    def test_groff_has_nothing_to_warn_of(self):
        done = self.run_program("groff", "-man", "-ww", "-Tutf8", *self.pages.values())
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def read(self, page):
        done = self.run_program("man", "--warnings=all", "-l", page,
                                env={**os.environ, "LC_ALL": "C.UTF-8", "MANPAGER": "cat", "MANWIDTH": "80"})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return re.sub(r".\x08", "", done.stdout)

    def test_man_shows_what_the_help_says(self):
        shown = self.read(self.pages["firn-migrate"])
        for words in ("firn-migrate - Bring folders", ".gitignore: * ? [a-z]", "--one-file-system", "EXIT STATUS"):
            self.assertIn(words, shown)
        shown = self.read(self.pages["firn-tier-set"])
        for words in ('"pin=hot', "firn tier set [OPTIONS] PATH", "FIRN_TOKEN", "~/.config/firn/token", "firn-tier(1)"):
            self.assertIn(words, shown)

    def test_misuse(self):
        self.refuse("help", "--man", "tier", "nonsense", words=["tier nonsense"], code=2)
        self.refuse("help", "--man-pages", self.folder / "man", "tier", code=2)
        (self.folder / "file").touch()
        self.refuse("help", "--man-pages", self.folder / "file", words=[self.folder / "file"])
        self.refuse("completion", "tcsh", words=["tcsh"], code=2)


if __name__ == "__main__":
    unittest.main()
