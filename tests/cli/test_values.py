"""Parameters of a pipeline, given on the command line or in pyproject.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Project

APP = """
from __future__ import annotations
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Literal
from treetask import Registry, Spawns, TreeBuilder

class Colour(Enum):
    RED = "r"
    BLUE = "b"

@dataclass(frozen=True)
class Settings:
    env: Literal["dev", "prod"] = "dev"
    pages: int = 3
    max_depth: float | None = None
    dry: bool = False
    folder: Path = Path("out")
    day: date | None = None
    colour: Colour = Colour.RED
    names: list[str] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    timeout: int = 5
    other: object = None
    number: complex = 1j

tree = Registry("app")
settings = tree.params(Settings)

@tree.task
def show(said: Settings = settings.output) -> None:
    default = Settings()
    for name, value in vars(said).items():
        if value != getattr(default, name):
            print(name, repr(value))

@tree.task(static=False)
def fetch(url: str, tries: int = 1, pages: int = settings.output.pages) -> None:
    print(url, tries, pages)

built = TreeBuilder("built")
"""

HELP = "'treetask --help' shows how it is used"
FIELDS = "--env, --pages, --max_depth, --dry, --folder, --day, --colour, --names, --sizes, --timeout, --other, --number"
QUIET = ("--display", "quiet")


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ([], ""),
        (["--env", "prod"], "env 'prod'\n"),
        (["--env=prod", "--pages=7"], "env 'prod'\npages 7\n"),
        (["--set", "env=prod", "--set", "pages=8"], "env 'prod'\npages 8\n"),
        (["--pages", "-5"], "pages -5\n"),
        (["--pages", "5", "--pages", "6"], "pages 6\n"),
        (["--max-depth", "2.5"], "max_depth 2.5\n"),
        (["--max_depth", "3"], "max_depth 3.0\n"),
        (["--max-depth", "null"], ""),
        (["--dry"], "dry True\n"),
        (["--dry", "--pages", "7"], "pages 7\ndry True\n"),
        (["--dry=false"], ""),
        (["--folder", "some where"], "folder PosixPath('some where')\n"),
        (["--day", "2026-11-22"], "day datetime.date(2026, 11, 22)\n"),
        (["--colour", "BLUE"], "colour <Colour.BLUE: 'b'>\n"),
        (["--colour", "b"], "colour <Colour.BLUE: 'b'>\n"),
        (["--names", "a,b"], "names ['a', 'b']\n"),
        (["--names", '["a,b"]'], "names ['a,b']\n"),
        (["--sizes", '{"a": 3}'], "sizes {'a': 3}\n"),
        (["--set", "timeout=7"], "timeout 7\n"),
        (["--set", "pages=1", "--pages", "2"], "pages 2\n"),
        (["--pages", "2", "--set=pages=1"], "pages 1\n"),
        (["--names", "a", "--names", ""], ""),
        (["--other", "x"], "other 'x'\n"),
        (["--timeout", "7"], ""),  # an option of the command; the parameter is reached by --set
    ],
)
def test_text_becomes_a_value_of_the_type_that_the_field_has(project: Project, words: list[str], shown: str) -> None:
    """Whichever way it is given; what is given twice counts the second time."""
    project.write("app.py", APP)

    outcome = project.treetask("app:tree", *QUIET, *words)

    assert (outcome.code, outcome.out.replace("WindowsPath", "PosixPath"), outcome.err) == (0, shown, "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--pages", "many"], "--pages is 'many'; expected int (expected `int`, got `str`)"),
        (
            ["--env", "live"],
            "--env is 'live'; expected Literal['dev', 'prod'] (invalid enum value 'live')",
        ),
        (["--pages"], "--pages needs a value: --pages=VALUE"),
        (["--dry", "plan"], "--dry is true or false, found 'plan'; write --dry=true before 'plan'"),
        (["--dry=maybe"], "--dry is true or false, found 'maybe'"),
        (["--set", "dry=plan"], "--set dry is true or false, found 'plan'"),
        (["--colour", "green"], "--colour is 'green'; expected Colour (there are RED, BLUE)"),
        (["--max-depth"], "--max-depth needs a value: --max-depth=VALUE"),
        (["--pages", "-x", "plan"], "--pages needs a value: --pages=VALUE"),
        (["--pages", "-j", "2", "plan"], "--pages needs a value: --pages=VALUE"),
        (["--pages", "--display", "plain", "7"], f"unexpected '7'; expected TARGET [run|list|plan]; {HELP}"),
        (["--folder", "--only", "show"], "--folder needs a value: --folder=VALUE"),
        (["--set", "number=3"], "--set number: a value of type complex cannot be told from text; give it in code"),
        (["--backend", "x"], "--backend is not available in this version; a parameter of that name needs --set"),
        (["--color", "red"], f"--color: there is no color 'red'; expected one of auto, always, never; {HELP}"),
        (["--", "--env", "x"], f"unexpected '--env'; expected TARGET [run|list|plan]; {HELP}"),
        (["--pagse", "3"], f"unknown option '--pagse' (did you mean --pages?); {HELP}"),
        (["--dispaly", "plain"], f"unknown option '--dispaly' (did you mean --display?); {HELP}"),
        (
            ["--qqq"],
            f"unknown option '--qqq' (the pipeline has {FIELDS}); {HELP}",
        ),
    ],
)
def test_what_does_not_fit_is_refused_before_the_run(project: Project, words: list[str], message: str) -> None:
    """By name, with what was expected."""
    project.write("app.py", APP)

    assert project.treetask("app:tree", *words).refusal == [f"treetask: {message}"]


@pytest.mark.parametrize("option", [["-x"], ["-j", "2"], ["--display", "plain"], ["--only=show"], ["--set", "pages=3"]])
def test_option_between_a_flag_and_a_command_keeps_them_apart(project: Project, option: list[str]) -> None:
    """A plan was asked for, so nothing runs: the command is no value of the flag."""
    project.write("app.py", APP)

    outcome = project.treetask("app:tree", "--dry", *option, "plan")

    assert (outcome.code, outcome.out.splitlines()[-1], outcome.err) == (0, "1 task would run", "")


def test_own_parameters_of_a_task_are_given_in_the_same_way(project: Project) -> None:
    """A template can be run alone; what it takes from the pipeline's parameters is theirs."""
    project.write("app.py", APP)

    outcome = project.treetask("app:tree.fetch", *QUIET, "--url", "u", "--tries", "2", "--pages", "4")
    assert (outcome.code, outcome.out) == (0, "u 2 4\n")

    assert project.treetask("app:tree.fetch").refusal == ["treetask: the pipeline needs 'url'; give it: --url VALUE"]


def test_class_that_refuses_what_it_was_given_is_told(project: Project) -> None:
    """In its own words, and where it stands; what is no word about values, with these."""
    project.write(
        "app.py",
        """
        from dataclasses import dataclass
        from treetask import Registry

        @dataclass
        class Settings:
            pages: int
            timeout: int

            def __post_init__(self):
                if self.pages < 0:
                    raise ValueError("pages must be positive")
                raise SystemExit(7)

        tree = Registry("app")
        tree.params(Settings)
        """,
    )
    tell = "treetask: registry 'app': build(): Settings(pages={}, timeout=1) raised {} (app.py:16)"

    assert project.treetask("app:tree").refusal == [
        "treetask: the pipeline needs 'pages' and 'timeout'; give it: --pages VALUE --set timeout=VALUE"
    ]
    given = ("--set", "timeout=1", "--pages")
    assert project.treetask("app:tree", *given, "-3").refusal == [
        "treetask: pages must be positive (Settings, app.py:16)"
    ]
    assert project.treetask("app:tree", *given, "3").refusal == [tell.format(3, "SystemExit: 7")]


def test_list_ends_with_the_parameters(project: Project) -> None:
    """How each is given, of which type, and its default where that is one value."""
    project.write("app.py", APP)

    assert project.treetask("app:tree.fetch", "list", "--url", "u").out.splitlines()[-15:] == [
        "parameters",
        "  --url           str",
        "  --tries         int                     default 1",
        "  --pages         int                     default 3",
        "  --env           Literal['dev', 'prod']  default 'dev'",
        "  --max_depth     float | None            default None",
        "  --dry           bool                    default False",
        f"  --folder        Path                    default {Path('out')!r}",
        "  --day           datetime.date | None    default None",
        "  --colour        Colour                  default <Colour.RED: 'r'>",
        "  --names         list[str]",
        "  --sizes         dict[str, int]",
        "  --set timeout=  int                     default 5",
        "  --other         object                  default None",
        "  --number        complex                 default 1j",
    ]


def test_tree_that_was_built_directly_has_no_parameters(project: Project) -> None:
    """There is nobody to give them to."""
    project.write("app.py", APP)

    assert project.treetask("app:built", "--pages", "3").refusal == [f"treetask: unknown option '--pages'; {HELP}"]


def test_defaults_of_pyproject(project: Project) -> None:
    """They come after what is given on the command line, and are left out where the pipeline has no such name."""
    project.write("app.py", APP)
    project.write(
        "pyproject.toml", '[tool.treetask]\ntarget = "app:tree"\n[tool.treetask.params]\nenv = "prod"\npages = 9\n'
    )

    assert project.treetask(*QUIET).out == "env 'prod'\npages 9\n"
    assert project.treetask(*QUIET, "--pages", "4").out == "env 'prod'\npages 4\n"
    assert project.treetask("app:built", *QUIET).code == 0


def test_parameter_that_sounds_like_an_option_needs_no_target(project: Project) -> None:
    """Where pyproject.toml has the target it is the pipeline's; what that has not is told with the closest option."""
    program = """\
        from dataclasses import dataclass
        from treetask import Registry

        tree = Registry("t")

        @dataclass
        class Settings:
            token: str

        settings = tree.params(Settings)

        @tree.task
        async def show(token: str = settings.output.token) -> None:
            print(token)
        """
    project.write("app.py", program)
    project.write("pyproject.toml", '[tool.treetask]\ntarget = "app:tree"\n')

    assert project.treetask(*QUIET, "--token", "y").out == "y\n"
    assert project.treetask("run", *QUIET, "--token=z").out == "z\n"
    assert project.treetask("--displya", "quiet", "--token", "y").refusal == [
        f"treetask: unknown option '--displya' (did you mean --display?); {HELP}"
    ]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ("evn = 'prod'", "pyproject.toml: [tool.treetask.params] has 'evn', which is no parameter (did you mean env?)"),
        (
            "pages = 'x'",
            "pyproject.toml: [tool.treetask.params] pages is 'x'; expected int (expected `int`, got `str`)",
        ),
    ],
)
def test_wrong_defaults_of_pyproject_are_told(project: Project, params: str, message: str) -> None:
    """Where the file names the pipeline itself."""
    project.write("app.py", APP)
    project.write("pyproject.toml", f'[tool.treetask]\ntarget = "app:tree"\n[tool.treetask.params]\n{params}\n')

    assert project.treetask(*QUIET).refusal == [f"treetask: {message}"]


def test_table_of_parameters_that_is_none(project: Project) -> None:
    """Told by what it is."""
    project.write("pyproject.toml", "[tool.treetask]\nparams = 3\n")

    assert project.treetask().refusal == ["treetask: pyproject.toml: [tool.treetask] params is 3; expected a table"]


SECRETS = """
from dataclasses import dataclass, field
from treetask import Registry, Secret

@dataclass(frozen=True)
class Access:
    token: Secret[str]
    pin: Secret[int] = Secret(0)
    words: list[Secret[str]] = field(default_factory=list)
    plain: Secret[str] = Secret("default")

tree = Registry("app")
access = tree.params(Access)

@tree.task
def show(access: Access = access.output) -> None:
    print(access, access.token.reveal(), access.pin.reveal(), [each.reveal() for each in access.words])

@tree.task(static=False)
def fetch(key: Secret[str], note: Secret[str] = Secret("")) -> None:
    print(key, key.reveal())
"""


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (
            ["app:tree", "--token", "t", "--pin", "12"],
            "Access(token=***, pin=***, words=[], plain=***) t 12 []\n",
        ),
        (
            ["app:tree", "--token=null", "--words", "a,b"],
            "Access(token=***, pin=***, words=[***, ***], plain=***) null 0 ['a', 'b']\n",
        ),
        (["app:tree.fetch", "--key", "k", "--token", "t"], "*** k\n"),
    ],
)
def test_text_for_a_secret_is_wrapped(project: Project, words: list[str], shown: str) -> None:
    """Of a pipeline's parameters and of a task's own, by the type that is inside."""
    project.write("app.py", SECRETS)

    outcome = project.treetask(*words, *QUIET)

    assert (outcome.code, outcome.out, outcome.err) == (0, shown, "")


def test_text_that_is_no_such_secret_is_not_shown(project: Project) -> None:
    """The message has stars for it."""
    project.write("app.py", SECRETS)

    outcome = project.treetask("app:tree", "--token", "t", "--pin", "hunter2", *QUIET)

    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("treetask: --pin is ***; expected ")
    assert "hunter2" not in outcome.err


def test_list_has_stars_for_the_defaults_of_secrets(project: Project) -> None:
    """Its type is told, what it is by default is not."""
    project.write("app.py", SECRETS)

    assert project.treetask("app:tree.fetch", "list", "--key", "k", "--token", "t").out.splitlines()[-7:] == [
        "parameters",
        "  --key    Secret[str]",
        "  --note   Secret[str]        default ***",
        "  --token  Secret[str]",
        "  --pin    Secret[int]        default ***",
        "  --words  list[Secret[str]]",
        "  --plain  Secret[str]        default ***",
    ]
