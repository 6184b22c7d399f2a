"""Runs that are gone on with, and run again: `resume`, `rerun`, `--from-failed`, `state:`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Outcome, Project

#: Fails as long as there is no file 'mended'.
APP = """
    from pathlib import Path
    from treetask import Registry, Secret, Spawns

    tree = Registry("nightly", on_failure="continue")

    @tree.task
    async def fetch(page: str) -> int:
        print("fetch", page)
        if page == "bad" and not Path("mended").exists():
            raise OSError("503 for bad")
        return len(page)

    @tree.group
    async def crawl(pages: str = "index,news,bad") -> Spawns[None]:
        yield [fetch.child(page) for page in pages.split(",")]

    @tree.task(depends_on=[crawl])
    async def publish() -> None:
        print("publish")

    @tree.task
    async def lint() -> str:
        print("lint")
        return "tidy"

    flat = Registry("flat")

    @flat.task
    async def greet(env: str, pages: int = 3) -> None:
        print("greet", env, pages)
        if not Path("mended").exists():
            raise OSError("not yet")

    secret = Registry("secret")

    @secret.task
    async def log_in(token: Secret[str], pages: int = 3) -> None:
        print("log in", len(token.reveal()), pages)
        if not Path("mended").exists():
            raise OSError("not yet")
"""


@pytest.fixture
def app(project: Project) -> Project:
    """A project whose pipelines fail until it is mended."""
    project.write("app.py", APP)
    return project


def mend(project: Project) -> None:
    """Let what failed end well from now on."""
    project.write("mended", "")


def quiet(project: Project, *words: str) -> Outcome:
    """Give a command whose run shows nothing but its end."""
    return project.treetask(*words, "--display", "quiet")


def statuses(project: Project) -> list[str]:
    """The runs on record, the newest first: number, target or root, and status."""
    runs = json.loads(project.treetask("runs", "--format", "json").out)["runs"]
    return [f"{run['id']} {run['target'] or run['root']} {run['status']}" for run in runs]


# -- resume -----------------------------------------------------------------------------------------------------------


def test_every_run_is_recorded(app: Project) -> None:
    """In the project's folder, whose record git does not see; and the end says how to run it again."""
    outcome = quiet(app, "app:tree")

    assert outcome.code == 1
    assert outcome.err.splitlines()[-1] == "again: treetask rerun --failed 1"
    assert (app.folder / ".treetask" / "journal.db").is_file()
    assert (app.folder / ".treetask" / ".gitignore").read_text(encoding="utf-8").strip() == "*"
    assert statuses(app) == ["1 app:tree failed"]


def test_run_without_a_record_leaves_nothing(app: Project) -> None:
    """And offers no way back."""
    outcome = quiet(app, "app:tree", "--no-store")

    assert outcome.code == 1
    assert "again:" not in outcome.err
    assert not (app.folder / ".treetask").exists()


def test_resume_runs_what_was_not_done(app: Project) -> None:
    """Target, folder and parameters come from the journal, what was done comes back, and the end says so."""
    quiet(app, "app:tree")
    mend(app)

    outcome = quiet(app, "resume")

    assert (outcome.code, outcome.out) == (0, "fetch bad\npublish\n")
    assert outcome.err == "treetask: resumed run 1: 3 tasks had been done before, 3 have run now\n"
    assert statuses(app) == ["1 app:tree done"]


def test_resume_from_another_folder_goes_where_the_run_was(app: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """What its bodies name is seen from there."""
    app.write("pyproject.toml", "")
    quiet(app, "app.py:tree")
    mend(app)
    (app.folder / "deep").mkdir()
    monkeypatch.chdir(app.folder / "deep")

    outcome = quiet(app, "resume", "1")

    assert (outcome.code, outcome.out) == (0, "fetch bad\npublish\n")


def test_folder_that_is_gone_is_told(app: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Before anything runs."""
    app.write("pyproject.toml", "")
    app.write("deep/app.py", APP)
    monkeypatch.chdir(app.folder / "deep")
    quiet(app, "app:tree")
    monkeypatch.chdir(app.folder)
    (app.folder / "deep").rename(app.folder / "moved")

    assert quiet(app, "resume").refusal == [
        "treetask: run 1 belongs to the folder deep, which cannot be entered: No such file or directory"
    ]


def test_resume_takes_parameters_from_the_journal(app: Project) -> None:
    """Typed as they were."""
    quiet(app, "app:flat.greet", "--env", "prod", "--pages", "7")
    mend(app)

    assert quiet(app, "resume").out == "greet prod 7\n"


def test_parameter_from_the_journal_is_not_given_again(app: Project) -> None:
    """Another value would be another run."""
    quiet(app, "app:flat.greet", "--env", "prod")

    assert quiet(app, "resume", "--env", "dev").refusal == [
        "treetask: run 1 takes 'env' from the journal; leave out --env, or begin a new run: treetask app:flat.greet"
    ]
    assert quiet(app, "resume", "--evn", "dev").refusal[0].startswith("treetask: unknown option '--evn' (did you mean")


def test_secret_is_asked_for_by_name(app: Project) -> None:
    """It is nowhere on record, so it has to be given again."""
    first = quiet(app, "app:secret.log_in", "--token", "xyzzy-1234", "--pages", "7")
    assert first.err.splitlines()[-1] == "again: treetask rerun --failed 1 --token …"

    assert quiet(app, "resume").refusal == [
        "treetask: run 1 was given 'token', which no record keeps; give it again: --token …"
    ]
    mend(app)
    assert quiet(app, "resume", "1", "--token", "xyzzy-123").out == "log in 9 7\n"
    store = b"".join(path.read_bytes() for path in (app.folder / ".treetask").iterdir())
    assert b"xyzzy" not in store


def test_run_that_is_done_says_so(app: Project) -> None:
    """And is no failure."""
    mend(app)
    quiet(app, "app:tree")

    for words in (["resume"], ["resume", "1"]):
        outcome = quiet(app, *words)
        assert (outcome.code, outcome.out) == (0, "")
        assert outcome.err == "treetask: run 1 is done; there is nothing to resume\n"
    outcome = quiet(app, "rerun", "--failed")
    assert (outcome.code, outcome.err) == (0, "treetask: run 1 is done; nothing in it failed\n")


def test_newest_run_that_is_not_done_is_resumed(app: Project) -> None:
    """By default."""
    quiet(app, "app:tree")
    mend(app)
    quiet(app, "app:flat.greet", "--env", "prod")

    assert "resumed run 1: " in quiet(app, "resume").err


def test_nothing_to_resume(app: Project) -> None:
    """Has its exit code, and makes no store."""
    for words in (["resume"], ["rerun"], ["rerun", "--failed"], ["app:tree", "--from-failed"], ["show"]):
        outcome = app.treetask(*words)
        assert (outcome.code, outcome.out) == (5, "")
        assert outcome.err == "treetask: no run is on record here yet; the first one is recorded by: treetask TARGET\n"
    assert not (app.folder / ".treetask").exists()


def test_unknown_run_names_those_that_there_are(app: Project) -> None:
    """A number that was mistyped."""
    quiet(app, "app:tree")
    quiet(app, "app:tree")

    for command in ("resume", "rerun", "show"):
        assert app.treetask(command, "21").refusal == [
            "treetask: store .treetask/journal.db has no run 21; the newest are 2, 1"
        ]


def test_options_that_say_how_to_run_are_kept_and_may_be_given(app: Project) -> None:
    """-j, -k, -x and --timeout of the run hold for the next one too, unless others are given."""
    app.write(
        "one.py",
        """
        from pathlib import Path
        from treetask import Registry

        tree = Registry("one", parallel=False)

        @tree.task
        async def a() -> None:
            print("a")
            raise OSError("not yet")

        @tree.task
        async def b() -> None:
            print("b")
        """,
    )
    assert quiet(app, "one:tree", "-j1", "-k").out == "a\nb\n"
    assert quiet(app, "rerun").out == "a\nb\n"
    assert quiet(app, "rerun", "-x").out == "a\n"
    assert quiet(app, "rerun", "1", "--timeout", "0").code == 124


def test_changed_code_is_told(app: Project) -> None:
    """What it made is kept, since only a person knows whether that is right."""
    quiet(app, "app:tree")
    mend(app)
    text = (app.folder / "app.py").read_text(encoding="utf-8")
    (app.folder / "app.py").write_text(text.replace('return "tidy"', 'return "clean"'), encoding="utf-8")
    app.forget()

    outcome = quiet(app, "resume")

    assert outcome.code == 0
    assert outcome.err.splitlines() == [
        "treetask: resumed run 1: 3 tasks had been done before, 3 have run now",
        (
            "treetask: changed since, while its result was kept: nightly/lint; for new results change version=, or: "
            "treetask rerun 1"
        ),
    ]


def test_selection_of_a_run_is_that_of_its_resume(app: Project) -> None:
    """What was left out stays out."""
    quiet(app, "app:tree", "--only", "crawl", "--skip", "**/fetch[news]")
    mend(app)

    assert quiet(app, "resume").out == "fetch bad\n"
    assert quiet(app, "rerun").out == "fetch index\nfetch bad\n"


def test_hostile_names_are_made_visible(app: Project) -> None:
    """Whatever the store has was written by others."""
    app.write(
        "evil.py",
        r"""
        from treetask import TreeBuilder

        async def fail(node):
            raise OSError("\x1b[2J red")

        tree = TreeBuilder("root", name="\x1b[31mroot\u202e").add_node("a\x1b[0m\0", task=fail).build
        """,
    )
    quiet(app, "evil:tree")
    app.forget()

    shown = app.treetask("show").out + app.treetask("runs").out + app.treetask("resume").err
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert r"\x1b[2J red" in shown


# -- rerun ------------------------------------------------------------------------------------------------------------


def test_rerun_is_all_of_it_as_a_new_run(app: Project) -> None:
    """With the same target, parameters and selection."""
    mend(app)
    quiet(app, "app:flat.greet", "--env", "prod", "--pages", "7")

    assert quiet(app, "rerun").out == "greet prod 7\n"
    assert quiet(app, "rerun", "1").out == "greet prod 7\n"
    assert statuses(app) == ["3 app:flat.greet done", "2 app:flat.greet done", "1 app:flat.greet done"]


def test_rerun_of_what_failed_takes_the_rest_over(app: Project) -> None:
    """A new run, with the results of the old one."""
    quiet(app, "app:tree")
    mend(app)

    outcome = quiet(app, "rerun", "--failed")

    assert (outcome.code, outcome.out) == (0, "fetch bad\npublish\n")
    assert outcome.err == "treetask: took over run 1: 3 tasks had been done before, 3 have run now\n"
    assert statuses(app) == ["2 app:tree done", "1 app:tree failed"]
    assert quiet(app, "resume", "2").code == 0


def test_from_failed_is_that_of_the_newest_run_of_a_target(app: Project) -> None:
    """Whatever else was run since."""
    quiet(app, "app:tree")
    mend(app)
    quiet(app, "app:flat.greet", "--env", "prod")

    outcome = quiet(app, "app:tree", "--from-failed")

    assert (outcome.code, outcome.out) == (0, "fetch bad\npublish\n")
    assert outcome.err == "treetask: took over run 1: 3 tasks had been done before, 3 have run now\n"
    again = quiet(app, "app:tree", "--from-failed")
    assert (again.code, again.err) == (0, "treetask: run 3, the newest of app:tree, is done; nothing in it failed\n")


def test_from_failed_has_the_parameters_of_the_run(app: Project) -> None:
    """Its results were made with these."""
    quiet(app, "app:flat.greet", "--env", "prod", "--pages", "7")

    assert quiet(app, "app:flat.greet", "--from-failed", "--env", "dev").refusal == [
        "treetask: 'env' was 'prod' in run 1, whose results would be taken over; leave out --env, or --from-failed"
    ]
    mend(app)
    assert quiet(app, "app:flat.greet", "--from-failed", "--env", "prod").out == "greet prod 7\n"


def test_from_failed_of_what_was_never_run(app: Project) -> None:
    """There is nothing to take over."""
    quiet(app, "app:tree")

    outcome = quiet(app, "app:flat.greet", "--from-failed")

    assert (outcome.code, outcome.out) == (5, "")
    assert outcome.err == (
        "treetask: store .treetask/journal.db has no run of app:flat.greet yet; leave out --from-failed\n"
    )


def test_run_of_a_program_is_told_how_to_go_on(app: Project) -> None:
    """Nobody but that program knows how its tree is built."""
    app.write(
        "program.py",
        """
        from app import tree
        from treetask import TreeFailed

        try:
            tree.run_sync(store=".treetask/journal.db")
        except TreeFailed:
            pass
        """,
    )
    quiet(app, "app:tree")  # makes the folder
    app.run_program("program.py")

    for command in ("resume", "rerun"):
        assert app.treetask(command).refusal == [
            (
                "treetask: run 2 of 'nightly' was begun by a program of its own; go on with it there, by "
                "store=store.resume(2)"
            )
        ]
    assert statuses(app)[0] == "2 nightly failed"


# -- state: -----------------------------------------------------------------------------------------------------------


def test_what_failed_is_selected_by_its_state(app: Project) -> None:
    """Static and spawned, by the newest run of the target; not what failed only because something below did."""
    quiet(app, "app:tree")
    mend(app)

    assert quiet(app, "app:tree", "--only", "state:failed").out == "fetch bad\n"
    outcome = quiet(app, "app:tree", "--only", "state:failed")
    assert (outcome.code, outcome.out) == (5, "")
    assert outcome.err == "treetask: nothing is selected by 'state:failed': no task was failed in run 2\n"


def test_states_combine_with_the_other_selectors(app: Project) -> None:
    """What was skipped because of the failure, and what was done."""
    quiet(app, "app:tree")
    mend(app)

    assert quiet(app, "app:tree", "--only", "state:skipped").out == "publish\n"
    quiet(app, "app:tree")
    plan = app.treetask("app:tree", "plan", "--skip", "state:done", "--only", "**").err
    assert plan.startswith("treetask: nothing is selected")


def test_state_of_a_run_that_was_selected_by_state(app: Project) -> None:
    """Its resume goes by the run that it went by, not by itself."""
    quiet(app, "app:tree")
    quiet(app, "app:tree", "--only", "state:failed")
    mend(app)

    assert quiet(app, "resume", "2").out == "fetch bad\n"


def test_state_needs_a_run(app: Project) -> None:
    """And a status that there is."""
    outcome = quiet(app, "app:tree", "--only", "state:failed")
    assert (outcome.code, outcome.out) == (5, "")
    assert outcome.err == (
        "treetask: a selector asks how tasks ended in the newest run of app:tree, and there is no run of it on record "
        "yet\n"
    )
    quiet(app, "app:tree")
    assert (
        quiet(app, "app:tree", "--only", "state:broken")
        .refusal[0]
        .startswith("treetask: there is no status 'broken' to select by (there are 'pending', 'working'")
    )
