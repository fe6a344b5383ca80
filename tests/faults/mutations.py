"""Ways to break the core.

The simulator must notice each mutation. This proves that the simulator's checks can fail.

A mutation edits the source text of a module while the module is imported, in a separate process.
"""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True, slots=True)
class Mutation:
    """One way to break the core."""

    name: str
    module: str
    old: str
    """The original text, which occurs exactly once."""
    new: str


MUTATIONS = (
    Mutation(
        "a lease is not checked",
        "difference",
        "if record and record.lease and record.leased_at(now):",
        "if False:",
    ),
    Mutation(
        "a lost lease is not noticed",
        "leases",
        "if current is None or current.revision != held.revision:",
        "if False:",
    ),
    Mutation(
        "the record is written before the outputs",
        "update",
        "        errors = dict(rendering.errors)\n",
        "        errors = dict(rendering.errors)\n"
        "        done = replace(record, status='done', rules=self.pipeline.rules)\n"
        "        record = self.leases.catalog.write(done)\n"
        "        begun = replace(begun, record=record)\n",
    ),
    Mutation(
        "notices are sent before the record is written",
        "process",
        "                result = self._act(difference, held, ask, reader, worked=worked)\n",
        "                if not held and difference.action in ('create', 'update') and difference.found:\n"
        "                    told = Record(name, 'done', self.clock(), etag=difference.found.etag)\n"
        "                    for target, notifier in self.notifiers.items():\n"
        "                        notifier.send(Notice('done', told))\n"
        "                result = self._act(difference, held, ask, reader, worked=worked)\n",
    ),
    Mutation(
        "notices are marked as sent before they are",
        "process",
        "            self._send_notices(leased, resting)\n",
        "            told = leased\n"
        "            leased = self.catalog.write(replace(leased, owed=()))\n"
        "            self._send_notices(told, resting)\n",
    ),
    Mutation(
        "a digest is dropped before it is sent",
        "outbox",
        '        failure = self._deliver(target, Notice("digest", Digest.of(reported.values())))\n',
        "        self._drop(current)\n"
        '        failure = self._deliver(target, Notice("digest", Digest.of(reported.values())))\n',
    ),
    Mutation(
        "a notice for a digest is not kept",
        "outbox",
        "            self.catalog.keep_notice(unsent.collected(self.clock() + timedelta(seconds=seconds)))\n",
        "",
    ),
    Mutation(
        "a digest drops the notices that came meanwhile",
        "outbox",
        "        self._drop(current)\n        sent_at",
        "        kept = self.catalog.unsent_notices()\n"
        "        self._drop([each for each in kept if each.target == target])\n"
        "        sent_at",
    ),
    Mutation(
        "a digest has a picture's first notice, not its record",
        "outbox",
        "            if notice:\n                reported[unsent.name] = notice.to_reported()\n",
        "            first = Reported(unsent.event, unsent.name, unsent.timestamp, '', '')\n"
        "            reported.setdefault(unsent.name, first)\n"
        "        current += outdated\n"
        "        outdated = []\n",
    ),
    Mutation(
        "notices of a paused target are not kept",
        "outbox",
        "            self.catalog.keep_notice(replace(unsent, again_at=pause.until, reason=pause.reason))\n",
        "",
    ),
    Mutation(
        "the picture is not checked a second time",
        "process",
        "            # Check again: the picture may have changed while we worked.\n",
        "            if result and not result.lease:\n"
        "                return Outcome(name, _result(result), result.reason, record=result)\n",
    ),
    Mutation(
        "old outputs are deleted before the new ones are recorded",
        "update",
        "            if is_in_the_way(key, written):\n",
        "            if True:\n",
    ),
    Mutation(
        "keys are not claimed before they are written",
        "update",
        "self.leases.take(replace(fresh, pending_keys=pending))",
        "self.leases.take(replace(fresh, pending_keys=()))",
    ),
    Mutation(
        "a record is deleted before its outputs",
        "process",
        "                for key in leased.pending_keys:\n"
        "                    self._leases.delete(leased, key)\n",
        "                self.catalog.delete(leased)\n"
        "                for key in leased.pending_keys:\n"
        "                    if there := self.output.head(key):\n"
        "                        self.output.delete(key, IfMatch(there.etag))\n"
        "                return None\n",
    ),
    Mutation(
        "the newest content is read in place of the found content",
        "content",
        "            pieces = self._source.stream(found.key, IfMatch(found.etag), 0, found.size_bytes)\n",
        "            there = self._source.head(found.key) or found\n"
        "            pieces = self._source.stream(found.key, IfMatch(there.etag), 0, there.size_bytes)\n",
    ),
    Mutation(
        "old outputs are not remembered",
        "update",
        "pending_keys=pending, lease=lease",
        "pending_keys=(), lease=lease",
    ),
    Mutation(
        "a blocked picture is never checked again",
        "difference",
        'case "rejected" if record.blocked_by is None:',
        'case "rejected":',
    ),
    Mutation(
        "the removal guard ignores the limits",
        "guard",
        "return missing > limit.pictures and 100 * missing > limit.percent * known",
        "return False",
    ),
    Mutation(
        "a removal that should be held is executed",
        "difference",
        '"remove" if is_allowed else "hold",',
        '"remove",',
    ),
    Mutation(
        "a foreign key is claimed, and deleted with the picture",
        "update",
        "for rendition, key in keys.items() if rendition not in foreign}",
        "for rendition, key in keys.items()}",
    ),
    Mutation(
        "foreign outputs are not searched for",
        "foreign",
        "and find(self.output, key) and self._is_foreign(name, key, claimed)",
        "and False",
    ),
    Mutation(
        "a picture's claims in a former store count for the present one",
        "foreign",
        "self.catalog.owner_of(key) not in (None, name):",
        "self.catalog.owner_of(key) is not None:",
    ),
    Mutation(
        "the generation is not checked",
        "binding",
        "if record and record.generation > self.number:",
        "if False:",
    ),
    Mutation(
        "outputs are not compared with the store",
        "verify",
        '    if how == "no":\n',
        "    if True:\n",
    ),
    Mutation(
        "the mark is not checked on a conflict",
        "leases",
        "if there and not may_replace and not self.is_own(key):",
        "if there and not may_replace:",
    ),
    Mutation(
        "changed headers are not rewritten",
        "process",
        "                if rewrites:\n",
        "                if False:\n",
    ),
    Mutation(
        "kept replacements are forgotten",
        "update",
        "fresh = replace(fresh, retired=retired, refused",
        "fresh = replace(fresh, retired=(), refused",
    ),
    Mutation(
        "a former key is deleted although it is one file with an output",
        "leases",
        "if any(made.key != key and folding(made.key) == folding(key) for made in leased.outputs):",
        "if False:",
    ),
    Mutation(
        "two keys that are one file count as two",
        "update",
        "if len(set(map(folding, declared.values()))) < len(declared):",
        "if len(set(declared.values())) < len(declared):",
    ),
    Mutation(
        "a sync goes on with a lost catalog",
        "adopt",
        "    if 2 * foreign > checked:\n",
        "    if False:\n",
    ),
    Mutation(
        "adoption takes over any file",
        "adopt",
        "if writer in self.neighbours.own:",
        "if True:",
    ),
    Mutation(
        "adoption takes over no file with our mark",
        "adopt",
        "if writer in self.neighbours.own:",
        "if False:",
    ),
    Mutation(
        "an unmarked file is adopted without a comparison",
        "adopt",
        "and written[1] == made[rendition].content:",
        "and made:",
    ),
    Mutation(
        "strays that aren't ours are deleted",
        "strays",
        'if stray.whose != "ours":',
        "if False:",
    ),
    Mutation(
        "kept outputs in a former store are strays once their keys were given up",
        "strays",
        "if self.folding(key) in self.left:",
        "if False:",
    ),
    Mutation(
        "another catalog's outputs count as ours",
        "strays",
        "    if writer in neighbours.own:\n",
        "    if writer in neighbours.own or writer in neighbours.others:\n",
    ),
    Mutation(
        "a stray is deleted without a claim",
        "strays",
        "(key,) if claims else ()",
        "()",
    ),
    Mutation(
        "outputs in a former store are forgotten",
        "places",
        "        behind += [Retired(made.key, made.etag, until, record.place) for made in record.outputs]\n",
        "",
    ),
    Mutation(
        "outputs in a former store are deleted without proof",
        "process",
        "if there and (there.etag == old.etag or leases.is_own(old.key)):",
        "if there:",
    ),
    Mutation(
        "outputs in another store count as present",
        "places",
        'return record.place in ("", pipeline.output.store)',
        "return True",
    ),
    Mutation(
        "a deletion removes what on_delete keeps",
        "difference",
        'if pipeline.source.on_delete == "keep" and record.etag and ask.removal != "asked":',
        "if False:",
    ),
    Mutation(
        "a picture is removed without a check that it is gone",
        "process",
        "found = find_picture(self.source, name) if is_sought else None",
        'found = find(self.source, name) if is_sought and ask.removal == "no" else None',
    ),
    Mutation(
        "equal ETags count as equal content",
        "process",
        "twins, kept = self._twins.find(name, sha256)",
        "twins = [each for each in self.catalog.list() if each.etag == difference.found.etag]; kept = ()",
    ),
    Mutation(
        "another ETag with the same size counts as the same content",
        "content",
        "return self.identify(found) == record.sha256",
        "return True",
    ),
    Mutation(
        "a copy takes the record of a picture that is there",
        "twins",
        "if self._is_free(twin) and not self._is_there(twin.name):",
        "if self._is_free(twin):",
    ),
    Mutation(
        "a superseded worker takes over a record",
        "twins",
        "                if self.standing:\n"
        "                    self.standing.check(twin)\n"
        "                is_decided",
        "                is_decided",
    ),
    Mutation(
        "a stand-in stays although the picture or the recipe changed",
        "stand_ins",
        "valid = (difference.keys or {}).keys() - difference.left - set(difference.make)",
        "valid = (difference.keys or {}).keys()",
    ),
    Mutation(
        "a rendition that is no longer declared stays a stand-in",
        "difference",
        "if output is None or output.rendition not in keys:",
        "if output is None:",
    ),
    Mutation(
        "an output is copied although another program replaced it",
        "reuse",
        "return got[1] if got and hashlib.sha256(got[1]).hexdigest() == made.sha256 else None",
        "return got[1] if got else None",
    ),
)


def apply(mutation: Mutation) -> None:
    """Import the module with the edit. Later imports get the edited module.

    Raises:
        ValueError: The text doesn't occur exactly once, or the module was imported before.

    """
    name = f"renditions.core.{mutation.module}"
    if name in sys.modules:
        raise ValueError(f"{name} was imported before")
    spec = importlib.util.find_spec(name)
    assert spec
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    exec(compile(edit(mutation), f"{name} where {mutation.name}", "exec"), module.__dict__)  # noqa: S102


def edit(mutation: Mutation) -> str:
    """Return the module's source with the edit.

    Raises:
        ValueError: The original text doesn't occur exactly once.

    """
    source = resources.files("renditions.core").joinpath(f"{mutation.module}.py").read_text("utf-8")
    if source.count(mutation.old) != 1:
        raise ValueError(f"{mutation.name}: expected once in {mutation.module}.py: {mutation.old!r}")
    return source.replace(mutation.old, mutation.new)
