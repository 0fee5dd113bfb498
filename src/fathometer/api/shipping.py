"""Pack a run's model, or the part of it that one family makes, to be used elsewhere."""

from __future__ import annotations

import os
import secrets
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from fathometer.api.packing import (
    Chosen,
    Contents,
    answers_of,
    best_of,
    contents_of,
    in_worker,
    rehearse,
    told_of,
    write_model,
)
from fathometer.api.records import Study
from fathometer.bundle import Bundle, Member, is_bundle, open_bundle, pack_archive
from fathometer.bundle.format import ARCHIVE_ENDINGS, DESCRIPTION, ENCODERS_FILE, MANIFEST
from fathometer.bundle.reference import make_reference
from fathometer.bundle.rehearsal import check_model, renew_member
from fathometer.core.files import put_folder, read_json, sync_folder, writing_to
from fathometer.engine import ENGINES, Engine
from fathometer.errors import BadBundle, BadRun, UnknownName, UserError
from fathometer.study.ledger import Ledger
from fathometer.study.outcome import measure
from fathometer.study.trial import load_rows
from fathometer.verdict.evidence import gather

SECONDS = 1_800.0  # for a model to answer its golden rows
NATIVE = "*.cbm"  # files that only CatBoost reads


def pack(run: str | Path, out: str | Path, *, family: str | None = None, trust_native: bool = False) -> Path:
    """Write a model that holds one family's members alone, whole or not at all, checked in a process of its own.

    Args:
        run: a run's folder, or a model.
        out: a new folder, or a file that ends in .fathom or .zip; a model that is there already is replaced.
        family: "classical", "deep", "together", or "pretrained" where there is one; the verdict's choice unless given.
        trust_native: open members that only the library which wrote them can read (CatBoost's, of earlier versions), to
            write them anew so that everyone can; only where you trust whoever made them.

    Returns:
        Where it is.

    Raises:
        UserError: one clear sentence about what to put right.
    """
    source, place = Path(run), Path(os.path.abspath(out))  # noqa: PTH100 - a link is written where it lies
    _check_place(place, source)
    workshop = place.with_name(f".{place.name}-{secrets.token_hex(4)}")
    with (
        writing_to(place.parent, "Make room there, or write the model elsewhere."),
        _contents_of(source) as contents,
    ):
        chosen = only(contents, family or contents.default)
        name = place.name.removesuffix(place.suffix) if place.suffix in ARCHIVE_ENDINGS else place.name
        try:
            workshop.mkdir()
            with closing(_engine()) as engine:
                made = _made(workshop, _renewed(chosen, workshop, engine, trust_native), name, engine)
                if place.suffix in ARCHIVE_ENDINGS:
                    pack_archive(made, workshop / place.name)
                    made = workshop / place.name
                _demand_same_answers(made, engine)
            _put(made, place)
        finally:
            shutil.rmtree(workshop, ignore_errors=True)
    return Path(out)


def only(contents: Contents, family: str) -> Contents:
    """The part of a model by which one competitor answers, which answers by default.

    Raises:
        UnknownName: there is none of that name.
    """
    if family not in contents.mixes:
        raise UnknownName("competitor in this model", family, contents.mixes)
    mixes = contents.mixes[family]
    keys = {key for mix in mixes for key in mix}
    members = [member for member in contents.members if member.key in keys]
    reference = contents.reference
    if reference is not None:
        answers = {name: told for name, told in reference["answers"].items() if name == family}
        reference = {**reference, "answers": answers}
    needed = {one["digest"] for member in members for one in _encoders_of(member)}
    encoders = [one for one in contents.about.get("encoders", ()) if one.get("digest") in needed]
    return replace(
        contents,
        members=members,
        mixes={family: mixes},
        default=family,
        about={**contents.about, "encoders": encoders},
        reference=reference,
    )


def _renewed(contents: Contents, workshop: Path, engine: Engine, trust_native: bool) -> Contents:
    """With members that an earlier version wrote in a library's own form written anew.

    Raises:
        BadBundle: there is one, and it is not trusted, or cannot be read.
    """
    members = []
    for member in contents.members:
        if any(member.folder.glob(NATIVE)):
            place = workshop / "members" / member.key
            told = {"learner": member.learner, "folder": str(member.folder), "place": str(place)}
            done, why_not = in_worker(engine, renew_member, {**told, "trust_native": trust_native}, SECONDS)
            if done is None:
                raise BadBundle(f"{member.key} cannot be packed: {why_not}.")
            member = replace(member, folder=place)
        members.append(member)
    return replace(contents, members=members)


def _made(workshop: Path, contents: Contents, name: str, engine: Engine) -> Path:
    """The model in the workshop, with golden rows that it answered.

    Raises:
        BadBundle: it does not answer.
    """
    folder = workshop / "model"
    write_model(folder, contents)
    golden, why_not = rehearse(engine, folder, contents.reference, SECONDS)
    if golden is None:
        raise BadBundle(f"The model does not answer made-up rows: {why_not}. Make it again.")
    try:
        write_model(folder, contents, golden=golden, name=name)
    except (KeyError, TypeError, ValueError, AttributeError) as error:  # facts that another program wrote
        raise BadBundle(
            f"What the model says of itself is not what it should be ({type(error).__name__}: {error}). Make it again."
        ) from error
    return folder


def _demand_same_answers(model: Path, engine: Engine) -> None:
    """Open what was made as its users will, in a process that has seen nothing of it.

    Raises:
        BadBundle: it does not open, or answers otherwise.
    """
    rows, why_not = in_worker(engine, check_model, {"model": str(model)}, SECONDS)
    if not rows:
        raise BadBundle(f"The packed model was not put in place: {why_not or 'it has no golden rows'}.")


@contextmanager
def _contents_of(source: Path) -> Iterator[Contents]:
    """What there is to pack, from a model or from a run's record; a file is unpacked meanwhile."""
    is_run = (source / "run.json").is_file()
    if is_run and not is_bundle(source / "model"):
        yield _of_record(source)
        return
    with open_bundle(source / "model" if is_run else source) as bundle:
        yield _of_bundle(bundle, source if is_run else source.parent)


def _of_bundle(bundle: Bundle, run: Path) -> Contents:
    """What is in a model; what it lacks is taken from the run's record, where it lies in one."""
    described = bundle.seal.parsed(DESCRIPTION) if bundle.seal else {"members": {}}
    contents = Contents(
        schema=bundle.schema,
        task=bundle.task,
        members=[
            Member(key, learner, str(described["members"][key]["title"]), bundle.folder / "members" / key)
            for key, learner in bundle.learners.items()
        ],
        mixes=bundle.mixes,
        default=bundle.default,
        about={key: value for key, value in bundle.about.items() if key != "golden"},
        reference=bundle.reference,
        verdict=bundle.verdict,
        created=bundle.seal.manifest.created if bundle.seal else None,
    )
    is_of_run = bundle.folder.name == "model" and (run / "run.json").is_file()
    if not is_of_run or (contents.reference is not None and contents.verdict is not None):
        return contents
    try:
        study = _judged(run)
    except BadRun:
        return contents  # its record is gone, and the model is whole all the same
    trials = [trial for trial in Ledger(run).trials() if trial.key in bundle.learners]
    if not trials or not study.outcome.folds:
        return contents  # likewise
    known = contents_of(study, Chosen(trials, bundle.mixes, bundle.default), *_gone_with(study, bundle.mixes))
    return replace(
        contents,
        about={**known.about, **contents.about},
        reference=contents.reference or known.reference,
        verdict=contents.verdict or known.verdict,
    )


def _of_record(run: Path) -> Contents:
    """What a run's record holds of which no model was left.

    Raises:
        BadRun: no fold was finished.
    """
    study = _judged(run)
    if not study.outcome.folds:
        raise BadRun(
            f"The run {run} has no model yet: no fold was finished by both families. "
            f"Go on with it: fathom compare --resume {run} --budget LONGER"
        )
    chosen = best_of(study)
    contents = contents_of(study, chosen, *_gone_with(study, chosen.mixes))
    # what is packed twice is the same model, and has the same version
    return replace(contents, created=str(study.outcome.run["created"]))


def _judged(run: Path) -> Study:
    return Study(run, gather(run, measure(run)))


def _gone_with(study: Study, mixes: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Sketches and result of a run."""
    rows = load_rows(study.folder)
    return make_reference(rows, answers=answers_of(study.outcome, mixes)), told_of(study.to_json())


def _encoders_of(member: Member) -> list[Mapping[str, Any]]:
    path = member.folder / ENCODERS_FILE
    return list(read_json(path)) if path.is_file() else []


def _check_place(place: Path, source: Path) -> None:
    """Whether a model may be written there.

    Raises:
        UserError: there is something else, or no folder to write in.
    """
    if not place.parent.is_dir():
        raise UserError(f"There is no folder {place.parent} to write {place.name} in. Make it first.")
    packed = (source / "model" if (source / "run.json").is_file() else source).resolve()
    if place.resolve().is_relative_to(packed):
        raise UserError(f"{place} lies in what is packed, or is it. Give another place.")
    is_file = place.suffix in ARCHIVE_ENDINGS
    if place.suffix and not is_file and not _is_model_folder(place):
        raise UserError(
            f"Expected a name that ends in {' or '.join(ARCHIVE_ENDINGS)} for one file, or has no dot for a folder; "
            f"got {place.name!r}."
        )
    if place.is_symlink() or (
        place.exists() and not (_is_packed(place) if is_file else _is_model_folder(place))
    ):
        raise UserError(
            f"{place} is there already and is no model, so it is not replaced. Give another name."
        )


def _is_packed(place: Path) -> bool:
    try:
        with zipfile.ZipFile(place) as archive:
            return MANIFEST in archive.namelist()
    except (OSError, zipfile.BadZipFile, ValueError):
        return False


def _is_model_folder(place: Path) -> bool:
    return place.is_dir() and ((place / MANIFEST).is_file() or not any(place.iterdir()))


def _put(made: Path, place: Path) -> None:
    """What was made in its place; what is there stays if that fails."""
    if made.is_file():
        made.replace(place)
    else:
        put_folder(made, place)
    sync_folder(place.parent)


def _engine() -> Engine:
    kind: Any = ENGINES.get("local")
    engine: Engine = kind(workers=1)
    return engine
