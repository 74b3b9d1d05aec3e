"""Commands for the store's upkeep."""

from __future__ import annotations

from typing import Any

import click

from lineal.backend.port import Check, GcPlan
from lineal.cli.options import here, json_option
from lineal.cli.output import as_json, line, table
from lineal.core.clock import parse_duration
from lineal.core.display import count, size
from lineal.core.errors import PlanOutdated

_TRIES = 5


@click.command()
@click.option("--plan", "only_plan", is_flag=True, help="Only print what would go, and why the rest stays.")
@click.option("--grace", default="24h", help="Keep unreferenced blobs that are younger (default 24h).")
@json_option
def gc(only_plan: bool, grace: str, json_: bool) -> None:
    """Delete what nothing needs: versions whose ttl is over, deleted versions' bytes, garbage."""
    store = here().backend.store
    grace_s = int(parse_duration(grace).total_seconds())
    plan = store.plan_gc(grace_s=grace_s)
    if not only_plan:
        plan = _carry_out(store, plan)
    if json_:
        as_json(plan)
    else:
        _print_plan(plan, done=not only_plan)


@click.command()
@click.option("--repair", is_flag=True, help="Forget damaged blobs, so that logging their files again heals them.")
@click.option("--rebuild", is_flag=True, help="First make the index anew from the store's objects alone.")
@json_option
def fsck(repair: bool, rebuild: bool, json_: bool) -> int:
    """Re-read everything, and tell what is damaged or missing."""
    check = here().backend.store.fsck(repair=repair, rebuild=rebuild)
    as_json(check) if json_ else _print_check(check)
    return 6 if any(not problem.repaired for problem in check.problems) else 0


@click.group()
def cache() -> None:
    """This machine's cache of downloaded versions."""


@cache.command("info")
@json_option
def cache_info(json_: bool) -> None:
    """Show where the cache is and what it holds."""
    store = here().cache
    trees = store.trees()
    total = sum(tree.size_bytes for tree in trees)
    if json_:
        as_json(
            {"path": str(store.folder), "size_bytes": total, "limit_bytes": store.size_bytes, "versions": len(trees)}
        )
        return
    line(f"{store.folder}: {count(len(trees), 'version')}, {size(total)} of at most {size(store.size_bytes)}")


@cache.command("clean")
@click.option("--to", "down_to", default="0", help="Stop once it holds no more than this, such as 5GB.")
@json_option
def cache_clean(down_to: str, json_: bool) -> None:
    """Delete cached versions, the longest unused first; all of them, and every file is read again when next logged."""
    from lineal.core.settings import parse_size

    cached = here().cache
    gone = cached.clean(parse_size(down_to))
    if not cached.trees():
        cached.forget_states()
    freed = sum(tree.size_bytes for tree in gone)
    if json_:
        as_json({"versions": len(gone), "freed_bytes": freed})
        return
    line(f"Deleted {count(len(gone), 'version')} from the cache, {size(freed)}.")


def _carry_out(store: Any, plan: GcPlan) -> GcPlan:
    for _ in range(_TRIES):
        try:
            done: GcPlan = store.gc(plan)
            return done
        except PlanOutdated:
            plan = store.plan_gc(grace_s=plan.grace_s)
    raise PlanOutdated("others kept changing the store meanwhile; nothing was deleted, run `lineal gc` again")


def _print_plan(plan: GcPlan, *, done: bool) -> None:
    going = [d for d in plan.decisions if d.fate != "keep"]
    staying = [d for d in plan.decisions if d.fate == "keep"]
    titles = ("VERSION", "SIZE", "WHY")
    will = "Gone" if done else "Would go"
    line(f"{will}:")
    table(titles, [_row(d) for d in going], empty="  no versions")
    line()
    line("Kept:")
    table(titles, [_row(d) for d in staying], empty="  no versions")
    line()
    line(
        f"{will}: {count(plan.blob_count, 'blob')}, {count(plan.object_count, 'object')} and "
        f"{count(plan.stray_count, 'stray object')}; {count(plan.rewrite_count, 'pack')} rewritten; "
        f"{size(plan.freed_bytes)} freed."
    )
    if plan.waiting_count:
        waiting = f"{count(plan.waiting_count, 'unreferenced blob')}, {size(plan.waiting_bytes)}"
        line(f"Kept: {waiting}: inside the grace period of {plan.grace_s / 3600:g} h.")


def _row(decision: Any) -> tuple[str, str, str]:
    version = decision.version
    return f"{version.project}/{version.name}", size(version.size_bytes), decision.why


def _print_check(check: Check) -> None:
    for problem in check.problems:
        line(f"{'repaired' if problem.repaired else 'PROBLEM'}: {problem.text} [{problem.code}]")
    if check.garbage:
        line(f"{count(len(check.garbage), 'unreferenced object')}: garbage, which `lineal gc` removes in time.")
    seen = f"{count(check.version_count, 'version')}, {count(check.blob_count, 'blob')}"
    read = f"{seen}, {size(check.size_bytes)} read"
    left = sum(not problem.repaired for problem in check.problems)
    line(f"{read}: {'all is well' if not left else count(left, 'problem')}.")
