"""What the lints share: the root of the sources, its files, complaints."""
import os
import re
import sys

TOP_FOLDERS = ("broker", "common", "proto", "tools", "zk")


def root():
    """The root given as the argument, else that of the build."""
    return sys.argv[1] if len(sys.argv) > 1 else os.environ.get("KLAMM_SRCDIR", ".")


def files(*suffixes):
    """Paths below the root of our own files, generated ones excluded."""
    for top in TOP_FOLDERS:
        for folder, _, names in os.walk(os.path.join(root(), top)):
            for name in sorted(names):
                if name.endswith(suffixes) and not re.search(r"\.(gen|pb-c)\.[ch]$", name):
                    yield os.path.relpath(os.path.join(folder, name), root())


def read(path):
    with open(os.path.join(root(), path), encoding="utf-8") as file:
        return file.read()


def bare(text):
    """C without comments and texts; the lines stay where they are."""
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|' + r"'(?:\\.|[^'\\\n])*'"
    return re.sub(pattern, lambda m: re.sub(r"[^\n]", " ", m.group(0)), text, flags=re.S)


def includes(text):
    """(line number, header with its quotes or brackets) of each #include."""
    for number, line in enumerate(text.split("\n"), 1):
        match = re.match(r'\s*#\s*include\s+(["<][^">]+[">])', line)
        if match:
            yield number, match.group(1)


def table(name):
    """Lines of a table in test/lint, as lists of words, comments left out."""
    for line in read(os.path.join("test/lint", name)).split("\n"):
        words = line.split("#")[0].split()
        if words:
            yield words


def finish(complaints):
    for complaint in complaints:
        print(complaint)
    sys.exit(1 if complaints else 0)
