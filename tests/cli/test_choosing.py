"""Which files become pictures, seen on the command line."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from commands import draw, run, write_pipeline
from renditions.model.patterns import DEFAULT_EXCLUDE

THUMB = '[renditions.thumb]\nwidth = 40\nkey = "{key}"\n'
FIXTURE = Path(__file__).parents[1] / "catalogs" / "0.1"


def write_source(folder: Path, *lines: str) -> None:
    """Write a pipeline file with more fields in ``[source]``."""
    write_pipeline(folder, THUMB)
    file = folder / "renditions.toml"
    file.write_text(file.read_text().replace("[output]", "\n".join((*lines, "[output]"))))


def planned(folder: Path) -> dict[str, str]:
    """Return the action for each picture that needs one."""
    return {each["name"]: each["action"] for each in run(folder, "plan", "--json").data}


def test_files_in_folders_that_operating_systems_and_nas_devices_create_are_reported_and_not_processed(
    tmp_path: Path,
) -> None:
    write_source(tmp_path)
    for name in ("a.jpg", "@eaDir/a.jpg", "#recycle/b.jpg", ".thumbnails/a.jpg", "x/__MACOSX/c.jpg"):
        draw(tmp_path / "inbox" / name)
    (tmp_path / "inbox" / "notes.txt").write_text("x")
    left_out = (
        "Files left out: 1 without a matching pattern, 4 excluded. To list them: renditions list --unmatched"
    )
    plan = run(tmp_path, "plan")
    assert "Plan: 1 to" in plan.out
    assert left_out in plan.err
    synced = run(tmp_path, "sync", "--json")
    assert synced.code == 0
    assert synced.data["processed"] == {"done": 1}
    assert (synced.data["unmatched"], synced.data["excluded"]) == (1, 4)
    assert left_out in run(tmp_path, "sync").err
    listed = {each["name"]: each["why"] for each in run(tmp_path, "list", "--unmatched", "--json").data}
    assert listed == {
        "#recycle/b.jpg": "it is excluded by '#recycle/' in [source] exclude",
        ".thumbnails/a.jpg": "it is excluded by '.*/' in [source] exclude",
        "@eaDir/a.jpg": "it is excluded by '@eaDir/' in [source] exclude",
        "notes.txt": "it matches no pattern in [source] match",
        "x/__MACOSX/c.jpg": "it is excluded by '__MACOSX/' in [source] exclude",
    }
    shown = run(tmp_path, "list", "--unmatched", "x/").out
    assert shown == "x/__MACOSX/c.jpg  it is excluded by '__MACOSX/' in [source] exclude\n"
    refused = run(tmp_path, "sync", "notes.txt")
    assert refused.code == 2
    assert "'notes.txt' isn't a picture: it matches no pattern in [source] match" in refused.err


def test_links_and_special_files_are_counted_and_listed_with_the_reason(tmp_path: Path) -> None:
    write_source(tmp_path)
    inbox = tmp_path / "inbox"
    draw(inbox / "a.jpg")
    draw(tmp_path / "elsewhere" / "b.jpg", seed=2)
    (inbox / "b.jpg").symlink_to(tmp_path / "elsewhere" / "b.jpg")
    (inbox / "album").symlink_to(tmp_path / "elsewhere")
    (inbox / ".hidden.jpg").symlink_to(inbox / "a.jpg")
    os.mkfifo(inbox / "pipe.jpg")
    left_out = (
        "Files left out: 1 excluded, 3 links or special files. To list them: renditions list --unmatched"
    )
    assert left_out in run(tmp_path, "plan").err
    synced = run(tmp_path, "sync", "--json")
    assert (synced.data["processed"], synced.data["links"]) == ({"done": 1}, 3)
    listed = {each["name"]: each["why"] for each in run(tmp_path, "list", "--unmatched", "--json").data}
    assert list(listed) == [".hidden.jpg", "album", "b.jpg", "pipe.jpg"]
    assert listed[".hidden.jpg"] == "its name starts with a dot"
    assert listed["album"] == listed["b.jpg"]
    assert listed["b.jpg"].startswith("it is a link, and Renditions follows no links in a source. Put the")
    assert listed["pipe.jpg"] == "it is a special file, such as a pipe or a socket"
    assert "it is a link" in run(tmp_path, "list", "--unmatched", "b.jpg").out
    for name in ("b.jpg", "album/b.jpg"):
        refused = run(tmp_path, "sync", name)
        assert refused.code == 2
        assert f"'{name.partition('/')[0]}' isn't a picture: it is a link" in refused.err


def test_commands_print_nothing_about_left_out_files_if_no_file_is_left_out(tmp_path: Path) -> None:
    write_source(tmp_path)
    draw(tmp_path / "inbox" / "a.jpg")
    assert "left out" not in run(tmp_path, "plan").err + run(tmp_path, "sync").err
    assert run(tmp_path, "list", "--unmatched", "--json").data == []


def test_sync_removes_the_outputs_of_pictures_that_a_new_exclude_pattern_matches(
    tmp_path: Path,
) -> None:
    write_source(tmp_path)
    draw(tmp_path / "inbox" / "a.jpg")
    for number in range(30):
        draw(tmp_path / "inbox" / "drafts" / f"{number}.jpg", 64, 48)
    assert run(tmp_path, "sync").code == 0
    write_source(tmp_path, 'exclude = ["drafts/", ".*/"]')
    plan = run(tmp_path, "plan").out
    assert "it is excluded by 'drafts/' in [source] exclude: deletes drafts/0.jpg" in plan
    assert "30 to remove" in plan
    assert run(tmp_path, "sync").code == 0
    assert [path.name for path in (tmp_path / "processed").rglob("*.jpg")] == ["a.jpg"]
    assert (tmp_path / "inbox" / "drafts" / "0.jpg").exists()


def test_the_removal_of_many_newly_excluded_pictures_is_held_back(tmp_path: Path) -> None:
    write_source(tmp_path, "max_removals = { pictures = 2, percent = 10 }")
    for name in ("a.jpg", "drafts/a.jpg", "drafts/b.jpg", "drafts/c.jpg"):
        draw(tmp_path / "inbox" / name)
    assert run(tmp_path, "sync").code == 0
    write_source(tmp_path, "max_removals = { pictures = 2, percent = 10 }", 'exclude = ["drafts/", ".*/"]')
    held = run(tmp_path, "sync")
    assert held.code == 3
    assert "3 of 4 pictures are gone (the patterns of [source] leave out 3): more than 2" in held.err
    assert len(list((tmp_path / "processed").rglob("*.jpg"))) == 4
    assert run(tmp_path, "sync", "--allow-removals").code == 0
    assert len(list((tmp_path / "processed").rglob("*.jpg"))) == 1


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('match = ["*.jpg", "!x"]', "source.match[1]: expected a pattern without ! at its start"),
        ('match = ["/a/*.jpg"]', "source.match[0]: expected a pattern for paths below the folder"),
        ('match = ["drafts/"]', "source.match[0]: expected a pattern of files"),
        ('match = [".jpg"]', "source.match[0]: expected a pattern of names that don't start with a dot"),
        ('match = ["./*.jpg"]', "source.match[0]: expected a pattern for paths below the folder"),
        ('match = ["a//*.jpg"]', "source.match[0]: expected a pattern for paths below the folder"),
        ('match = ["*.{jpg,png}"]', "source.match[0]: expected a separate pattern for each choice"),
        ('match = ["*.(jpg|png)"]', "source.match[0]: expected a separate pattern for each choice"),
        ('match = ["[z-a].jpg"]', "source.match[0]: expected a range in brackets"),
        ('match = ["@eaDir/*.jpg"]', "source.match[0]: expected a pattern that '@eaDir/' in source.exclude"),
        ('match = [""]', "source.match[0]: expected a shell pattern for keys"),
        ('exclude = ["!x"]', "source.exclude[0]: expected a pattern without ! at its start"),
        ('exclude = ["/"]', "source.exclude[0]: expected a pattern of a file or a folder"),
        (r"match = ['photos\*.jpg']", "source.match[0]: expected a pattern with / between folders"),
        ('match = ["C:/photos/*.jpg"]', "source.match[0]: expected a pattern for keys below source.store"),
        ('match = ["*.jpg "]', "source.match[0]: expected a pattern without blanks at its ends"),
        ('match = ["*.jpg,*.png"]', "source.match[0]: expected one pattern in each text"),
        ('match = ["*.jpg *.png"]', "source.match[0]: expected one pattern in each text"),
        (
            'match = ["[.]jpg"]',
            "source.match[0]: expected a pattern that also matches names without a leading dot",
        ),
        (
            'match = ["*.j*", "x/[!a].png"]\nexclude = ["*.jp*", "x/"]',
            "source.match[1]: expected a pattern that",
        ),
        (r"exclude = ['drafts\']", "source.exclude[0]: expected a pattern with / between folders"),
        (r"exclude = ['x', 'C:\photos\raw']", "source.exclude[1]: expected a pattern with / between"),
        ('exclude = ["s3://bucket/drafts/"]', "source.exclude[0]: expected a pattern for keys below"),
        ('exclude = [" drafts/"]', "source.exclude[0]: expected a pattern without blanks at its ends"),
        ('exclude = ["drafts/\\u00a0"]', "source.exclude[0]: expected a pattern without blanks"),
        ('exclude = ["*.bak; *.tmp"]', "source.exclude[0]: expected one pattern in each text"),
        ('exclude = [""]', "source.exclude[0]: expected a pattern of a file or a folder"),
        ('exclude = ["../a"]', "source.exclude[0]: expected a pattern for paths below the folder"),
        ('exclude = ["./a/"]', "source.exclude[0]: expected a pattern for paths below the folder"),
    ],
)
def test_check_refuses_a_wrong_pattern_and_says_what_it_expects(
    tmp_path: Path, line: str, expected: str
) -> None:
    write_source(tmp_path, line)
    checked = run(tmp_path, "check")
    assert checked.code == 2
    assert expected in checked.err


@pytest.mark.parametrize(
    "patterns",
    [
        'exclude = ["*"]',
        'exclude = [".*/", "**"]',
        'exclude = ["?*"]',
        'exclude = ["*.*"]',
        'exclude = ["/*"]',
        'match = ["*.jpg", "*.png"]\nexclude = ["*.png", "*.jp*"]',
        'match = ["photos/*.jpg"]\nexclude = ["photos/"]',
    ],
)
def test_check_refuses_exclusions_that_leave_no_picture(tmp_path: Path, patterns: str) -> None:
    write_source(tmp_path, patterns)
    checked = run(tmp_path, "check")
    assert checked.code == 2
    assert "expected a pattern that leaves some of the pictures that source.match takes" in checked.err


@pytest.mark.parametrize(
    "patterns",
    [
        'exclude = [".*/", "*/"]',
        'exclude = [".*/", "photo*"]',
        'exclude = [".*/", "*.jp*"]',
        'exclude = [".*/", "[a-z]*", "[0-9]*"]',
        'exclude = [".*/", "copy ?.jpg", "Smith, John/", "a; b/", "100%/"]',
        'match = ["?*.jpg", "[a-z]*", "[!a]/x?.png"]',
    ],
)
def test_check_accepts_exclusions_that_leave_some_pictures(tmp_path: Path, patterns: str) -> None:
    write_source(tmp_path, patterns)
    checked = run(tmp_path, "check")
    assert (checked.code, "warning" in checked.err) == (0, False)


def test_check_refuses_an_exclusion_that_repeats_the_path_of_the_source(tmp_path: Path) -> None:
    write_source(tmp_path, f'exclude = ["{tmp_path}/inbox/drafts/"]')
    file = tmp_path / "renditions.toml"
    file.write_text(file.read_text().replace("./inbox", str(tmp_path / "inbox")))
    checked = run(tmp_path, "check")
    assert checked.code == 2
    assert "source.exclude[0]: expected a pattern for paths below the folder" in checked.err


def test_check_advises_a_second_pattern_if_a_pattern_with_two_stars_misses_the_top_folder(
    tmp_path: Path,
) -> None:
    write_source(tmp_path, 'match = ["**/*.jpg"]')
    draw(tmp_path / "inbox" / "a.jpg")
    assert "To match such keys too, add '*.jpg'" in run(tmp_path, "check").err
    assert planned(tmp_path) == {}
    write_source(tmp_path, 'match = ["**/*.jpg", "*.jpg"]')
    assert "warning" not in run(tmp_path, "check").err
    assert planned(tmp_path) == {"a.jpg": "create"}


def test_check_warns_if_the_default_exclusions_are_replaced(tmp_path: Path) -> None:
    write_source(tmp_path, 'exclude = ["drafts/"]')
    checked = run(tmp_path, "check")
    assert checked.code == 0
    assert "source.exclude: this replaces the default patterns" in checked.err
    write_source(tmp_path, 'exclude = ["drafts/", "@eaDir/"]')
    assert "warning" not in run(tmp_path, "check").err


def upgraded(folder: Path) -> Path:
    """Return a project of version 0.1.

    The defaults of version 0.1 and those of today choose different files in it.
    """
    project = folder / "project"
    shutil.copytree(FIXTURE, project)
    draw(project / "source" / "@eaDir" / "thumb.jpg")
    draw(project / "source" / ".hidden" / "a.jpg", seed=2)
    draw(project / "source" / "new.jfif", seed=3, format="jpeg")
    assert run(project, "sync").code in (0, 1)  # one of its pictures is broken
    return project


def test_after_an_upgrade_from_version_0_1_its_default_patterns_stay_in_use(tmp_path: Path) -> None:
    project = upgraded(tmp_path)
    names = {each["image_name"] for each in run(project, "list", "--json").data}
    assert {"@eaDir/thumb.jpg", ".hidden/a.jpg"} <= names
    assert "new.jfif" not in names
    assert planned(project) == {}
    assert "the defaults of version 0.1" in run(project, "status").out
    assert run(project, "status", "--json").data["former_patterns"] is True


def test_a_declared_exclude_pattern_ends_the_default_patterns_of_version_0_1_for_good(
    tmp_path: Path,
) -> None:
    project = upgraded(tmp_path)
    file = project / "renditions.toml"
    text = file.read_text()
    file.write_text(text.replace("[output]", f"exclude = {list(DEFAULT_EXCLUDE)!r}\n[output]"))
    changed = {"@eaDir/thumb.jpg": "remove", ".hidden/a.jpg": "remove", "new.jfif": "create"}
    assert planned(project) == changed
    assert run(project, "sync").code == 0
    assert run(project, "status", "--json").data["former_patterns"] is False
    file.write_text(text)  # removing the line again doesn't bring the old defaults back
    assert planned(project) == {}


def test_a_pipeline_with_match_keeps_the_exclusions_of_version_0_1_until_its_match_changes(
    tmp_path: Path,
) -> None:
    project = tmp_path / "project"
    shutil.copytree(FIXTURE, project)
    file = project / "renditions.toml"
    text = file.read_text()
    written = text.replace("[output]", 'match = ["*.jpg", "*.png", "*.tif", "*.gif"]\n[output]')
    file.write_text(written)
    draw(project / "source" / "@eaDir" / "thumb.jpg")
    assert "@eaDir/thumb.jpg" in planned(project)
    assert run(project, "sync").code in (0, 1)
    file.write_text(written.replace('"*.gif"', '"*.gif", "*.webp"'))
    assert planned(project) == {"@eaDir/thumb.jpg": "remove"}


def test_check_warns_about_a_pattern_that_repeats_the_name_of_the_source(tmp_path: Path) -> None:
    write_source(tmp_path, 'exclude = ["inbox/drafts/"]')
    draw(tmp_path / "inbox" / "drafts" / "a.jpg")
    checked = run(tmp_path, "check")
    assert checked.code == 0
    assert "'inbox/drafts/' begins with the name of the source" in checked.err
    assert "write 'drafts/'" in checked.err
    assert "a.jpg" in run(tmp_path, "plan").out
    write_source(tmp_path, 'exclude = ["drafts/"]')
    assert "name of the source" not in run(tmp_path, "check").err
    assert "a.jpg" not in run(tmp_path, "plan").out
