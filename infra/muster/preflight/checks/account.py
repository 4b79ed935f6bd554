"""Credentials, region, zones and what EKS offers there."""

from datetime import datetime

from muster.plan.aws.parts import AwsPlan
from muster.preflight.answers import AwsAnswers, Eks, Unasked, Version
from muster.preflight.lines import Finding, Line, unknown, worst

SOON_DAYS = 90
"""Before the end of standard support, as the plan warns."""


def check(aws: AwsPlan, stack: str, answers: AwsAnswers, now: datetime) -> tuple[Line, ...]:
    """One line each."""
    return (
        _credentials(aws, answers),
        _region(aws, answers),
        *_zones(aws, answers),
        _cluster(aws, stack, answers),
        _version(aws, answers, now),
        *_addons(aws, answers),
    )


def _credentials(aws: AwsPlan, answers: AwsAnswers) -> Line:
    name, found = "credentials", answers.identity
    if isinstance(found, Unasked):
        return unknown(name, found)
    if found.account != aws.eks.account:
        text = f"{found.arn} is of account {found.account}, the stack's is {aws.eks.account}"
        return Line(name, "fail", text, "credentials of the stack's account, or another cluster.account")
    return Line(name, "ok", f"{found.arn} of account {found.account}")


def _region(aws: AwsPlan, answers: AwsAnswers) -> Line:
    name, found = f"region {aws.eks.region}", answers.region
    if isinstance(found, Unasked):
        return unknown(name, found)
    if found is None:
        return Line(name, "fail", "AWS knows no such region", "another cluster.region")
    if found == "not-opted-in":
        return Line(name, "fail", "the account has not enabled it", f"aws account enable-region {aws.eks.region}")
    return Line(name, "ok", "enabled")


def _zones(aws: AwsPlan, answers: AwsAnswers) -> tuple[Line, ...]:
    found = answers.zones
    if isinstance(found, Unasked):
        return tuple(unknown(f"zone {subnet.zone}", found) for subnet in aws.network.subnets)
    lines = []
    for subnet in aws.network.subnets:
        name, zone = f"zone {subnet.zone}", found.get(subnet.zone)
        if zone is None or not zone.usable:
            known = ", ".join(sorted(one.id for one in found.values() if one.usable)) or "another"
            lines.append(Line(name, "fail", "the account has no such zone", f"{known} instead"))
        elif zone.state != "available":
            lines.append(Line(name, "warn", f"AWS says {zone.state}", "look at the AWS Health Dashboard first"))
        else:
            lines.append(Line(name, "ok", "available"))
    return tuple(lines)


def _cluster(aws: AwsPlan, stack: str, answers: AwsAnswers) -> Line:
    name, found = f"EKS cluster {aws.eks.name}", answers.eks
    match found:
        case Unasked():
            return unknown(name, found)
        case None:
            return Line(name, "ok", "not there yet, its name is free")
        case Eks() if found.stack != stack:
            owner = f"stack {found.stack}" if found.stack else "somebody else"
            return Line(name, "fail", f"there already, made by {owner}", "another cluster.name")
    findings: list[Finding] = []
    if found.status in ("CREATING", "UPDATING"):
        findings.append(("warn", f"AWS says {found.status}", "wait until it is ACTIVE"))
    elif found.status != "ACTIVE":
        findings.append(("fail", f"AWS says {found.status}", "look at it in the EKS console"))
    have, want = _minor(found.version), _minor(aws.eks.version)
    if want < have:
        findings.append(("fail", f"it has Kubernetes {found.version}", "no older version: EKS takes none back"))
    elif want > have + 1:
        step = f"{found.version.partition('.')[0]}.{have + 1}"
        findings.append(("fail", f"it has Kubernetes {found.version}", f"{step} first: EKS takes one minor at a time"))
    return worst(name, findings, f"ACTIVE, Kubernetes {found.version}")


def _minor(version: str) -> int:
    return int(version.split(".")[1])


def _version(aws: AwsPlan, answers: AwsAnswers, now: datetime) -> Line:
    name, found = f"Kubernetes {aws.eks.version}", answers.version
    match found:
        case Unasked():
            return unknown(name, found)
        case None:
            return Line(name, "fail", "EKS does not offer it", "another cluster.kubernetesVersion")
        case Version(status="UNSUPPORTED"):
            return Line(name, "fail", "EKS no longer supports it", "a newer cluster.kubernetesVersion")
        case Version(status="EXTENDED_SUPPORT"):
            if aws.eks.support == "STANDARD":
                return Line(name, "fail", "in extended support alone", "a newer version, or cluster.support: extended")
            return Line(name, "warn", "in extended support, which costs more", "a newer cluster.kubernetesVersion")
    until = found.standard_until
    text = f"standard support until {until}" if until else "standard support"
    if until is not None and (until - now.date()).days < SOON_DAYS:
        return Line(name, "warn", text, "plan the upgrade to a newer cluster.kubernetesVersion")
    return Line(name, "ok", text)


def _addons(aws: AwsPlan, answers: AwsAnswers) -> tuple[Line, ...]:
    lines = []
    for addon in aws.eks.addons:
        name, found = f"add-on {addon.name}", answers.addons[addon.name]
        if isinstance(found, Unasked):
            lines.append(unknown(name, found))
        elif not found:
            lines.append(Line(name, "fail", f"none for Kubernetes {aws.eks.version}", "another version of Kubernetes"))
        elif addon.version is None:
            lines.append(Line(name, "ok", f"AWS's default version; the newest is {found[0]}"))
        elif addon.version not in found:
            text = f"{addon.version} is not for Kubernetes {aws.eks.version}"
            lines.append(Line(name, "fail", text, f"cluster.addons.{addon.name}: {found[0]}"))
        else:
            lines.append(Line(name, "ok", addon.version))
    return tuple(lines)
