import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws
from muster import catalog

from local import catalog as generator
from local.problem import Problem

FILES = ("instances.json", "offerings.json", "prices.json")
REGION = "us-west-2"
TODAY = "2026-11-24"
GPU_FAMILIES = {"p4d", "p4de", "p5", "p5e", "p5en", "p6-b200", "p6-b300", "g5", "g6", "g6e", "gr6", "g7", "g7e"}
NCCL_FLOORS = {"p4d": 40, "p4de": 65, "p5": 300, "p5e": 300, "p5en": 300, "p6-b200": 300, "p6-b300": 500}
PRICE_FILTERS = [
    {"Type": "TERM_MATCH", "Field": field, "Value": value}
    for field, value in {
        "regionCode": REGION,
        "operatingSystem": "Linux",
        "preInstalledSw": "NA",
        "tenancy": "Shared",
        "capacitystatus": "Used",
        "marketoption": "OnDemand",
    }.items()
]

FACTS = [
    # name, gpus, model, GiB, vcpu, RAM, EFA, cards, interfaces, Gbps, disks, GB, NVSwitch, floor
    ("p4d.24xlarge", 8, "A100", 40, 96, 1152, 4, (15,) * 4, 60, 400, 8, 8000, True, 40),
    ("p5.48xlarge", 8, "H100", 80, 192, 2048, 32, (2,) * 32, 64, 3200, 8, 30400, True, 300),
    ("p5en.48xlarge", 8, "H200", 141, 192, 2048, 16, (4,) * 16, 64, 3200, 8, 30400, True, 300),
    ("p6-b200.48xlarge", 8, "B200", 179, 192, 2048, 8, (4,) * 8, 32, 3200, 8, 30400, True, 300),
    ("p6-b300.48xlarge", 8, "B300", 268.6, 192, 4096, 16, (4,) * 17, 68, 6750, 8, 30400, True, 500),
    ("g6e.48xlarge", 8, "L40S", 44.7, 192, 1536, 4, (10,) * 4, 40, 400, 4, 7600, False, None),
    ("g5.48xlarge", 8, "A10G", 22.4, 192, 768, 1, (7,), 7, 100, 2, 7600, False, None),
]


@pytest.fixture(scope="module")
def known() -> catalog.Catalog:
    return catalog.load()


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield


def checked_in(name: str) -> str:
    return (generator.FOLDER / name).read_text("utf-8")


def product(name: str, usd: str) -> str:
    dimension = {"unit": "Hrs", "pricePerUnit": {"USD": usd}}
    terms = {"OnDemand": {"SKU.TERM": {"priceDimensions": {"SKU.TERM.RATE": dimension}}}}
    return json.dumps({"product": {"attributes": {"instanceType": name}}, "terms": terms})


@pytest.mark.parametrize("name", ["instances.json", "offerings.json"])
def test_the_record_gives_exactly_the_files_of_the_checkout(name: str) -> None:
    live: Mapping[str, str] = json.loads(checked_in(name)).get("live", {})
    if live:
        pytest.skip(f"{name} was read from AWS ({live}), not from moto's record")
    assert generator.recorded()[name] == checked_in(name)


def test_a_record_of_unknown_day_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator, "RECORD", ("1.0.0", "2026-01-01"))
    with pytest.raises(Problem, match=r"moto .* is installed, the day of its record is not known"):
        generator.recorded()


@pytest.mark.parametrize("expected", FACTS, ids=lambda facts: str(facts[0]))
def test_facts(expected: tuple[Any, ...], known: catalog.Catalog) -> None:
    kind = known.types[expected[0]]
    assert expected == (
        kind.name,
        kind.gpus,
        kind.gpu_model,
        kind.gpu_memory_gib,
        kind.vcpu,
        kind.memory_gib,
        kind.efa_interfaces,
        kind.network_cards,
        kind.interfaces,
        kind.network_gbps,
        kind.nvme_disks,
        kind.nvme_gb,
        kind.nvswitch,
        kind.nccl_floor,
    )
    assert kind.ipv4_per_interface == 50
    assert kind.architecture == "x86_64"
    assert kind.refused is None
    assert kind.usage == (("capacity-block",) if kind.name.startswith("p") else ()) + ("on-demand", "spot")


def test_the_catalogue_has_every_family(known: catalog.Catalog) -> None:
    assert {kind.family for kind in known.types.values() if kind.gpus} == GPU_FAMILIES
    assert {kind.family for kind in known.types.values() if not kind.gpus} == {"m6i", "m7i", "c7i", "r7i", "m7g", "t3"}
    assert {kind.name for kind in known.types.values() if kind.family == "t3"} == {"t3.medium", "t3.large"}
    assert {kind.architecture for kind in known.types.values() if kind.family == "m7g"} == {"arm64"}
    assert all(kind.architecture == "x86_64" for kind in known.types.values() if kind.gpus)


def test_the_numbers_of_a_type_fit_each_other(known: catalog.Catalog) -> None:
    for kind in known.types.values():
        assert sum(kind.network_cards) == kind.interfaces, kind.name
        assert kind.efa_interfaces <= len(kind.network_cards), kind.name
        assert bool(kind.gpus) == bool(kind.gpu_model) == bool(kind.gpu_memory_gib), kind.name
        assert bool(kind.nvme_disks) == bool(kind.nvme_gb), kind.name
        assert list(kind.usage) == sorted(kind.usage), kind.name
        assert kind.nvswitch == (kind.family in NCCL_FLOORS and kind.gpus == 8), kind.name
        assert kind.nccl_floor == (NCCL_FLOORS[kind.family] if kind.nvswitch else None), kind.name


@pytest.mark.usefixtures("aws")
def test_the_bandwidth_of_types_with_efa_is_what_ec2_writes_of_the_whole_machine(known: catalog.Catalog) -> None:
    fabric = [kind for kind in known.types.values() if kind.efa_interfaces]
    ec2 = boto3.client("ec2", region_name=REGION)
    described = ec2.describe_instance_types(InstanceTypes=[kind.name for kind in fabric])["InstanceTypes"]
    written = {facts["InstanceType"]: facts["NetworkInfo"]["NetworkPerformance"] for facts in described}
    for kind in fabric:
        found = re.fullmatch(r"(?:(\d+)x )?(\d+) Gigabit", written[kind.name])
        assert found, written[kind.name]
        # Without the primary card, which has no EFA: https://aws.amazon.com/ec2/instance-types/p6/
        primary = 350 if kind.family == "p6-b300" else 0
        assert kind.network_gbps - primary == int(found[1] or 1) * int(found[2]), kind.name


def test_what_is_written_by_hand_is_of_known_types_and_has_its_sources(known: catalog.Catalog) -> None:
    rows: Mapping[str, Mapping[str, Any]] = json.loads(checked_in("by_hand.json"))["types"]
    assert list(rows) == sorted(rows)
    for name, row in rows.items():
        assert name in known.types
        assert row.keys() - {"source"} <= {"nvswitch", "ncclFloor", "networkGbps", "refused"}, name
        assert row["source"].keys() == row.keys() - {"source"}, name
        assert all(urlsplit(url).scheme == "https" and urlsplit(url).path for url in row["source"].values()), name


def test_types_that_need_another_driver_are_refused(known: catalog.Catalog) -> None:
    refused = {kind.name: kind.refused for kind in known.types.values() if kind.refused}
    assert {name.partition(".")[0] for name in refused} == {"g7"}
    assert refused.keys() == {name for name in known.types if name.startswith("g7.")}
    assert all("595" in why for why in refused.values())


def test_offerings_are_of_known_types(known: catalog.Catalog) -> None:
    assert {"us-east-1", "us-west-2", "eu-north-1"} <= known.offerings.keys()
    for zones in known.offerings.values():
        assert zones
        for names in zones.values():
            assert names <= known.types.keys()
    assert {zone for zone, names in known.offerings["us-west-2"].items() if "p5.48xlarge" in names} == {
        "usw2-az1",
        "usw2-az2",
        "usw2-az3",
        "usw2-az4",
    }


def test_prices_are_of_known_types_and_positive(known: catalog.Catalog) -> None:
    assert known.prices.hourly.keys() == known.prices.dates.keys()
    assert known.prices.date == min(known.prices.dates.values())
    assert "https://" in known.prices.source
    for region, prices in known.prices.hourly.items():
        assert region in known.offerings
        assert prices.keys() <= known.types.keys(), region
        assert all(usd > 0 for usd in prices.values()), region
    unpriced = known.types.keys() - known.prices.hourly["us-east-1"].keys()
    assert unpriced == {"p5e.48xlarge"}


def test_a_price_says_where_it_holds(known: catalog.Catalog) -> None:
    assert known.price("p5.48xlarge", "us-west-2") == catalog.Price(55.04, "us-west-2", "2026-07-20")
    assert known.price("p5.48xlarge", "eu-north-1") == catalog.Price(58.8928, "eu-north-1", "2026-07-20")
    assert known.price("m7i.2xlarge", "eu-north-1") == catalog.Price(0.4032, "us-east-1", "2026-07-20")
    assert known.price("p5.48xlarge", "mars-north-1") == catalog.Price(55.04, "us-east-1", "2026-07-20")
    assert known.price("p5e.48xlarge", "us-east-2") is None


@pytest.mark.usefixtures("aws")
def test_what_aws_answers_about_a_region_replaces_what_was_known_of_it(tmp_path: Path) -> None:
    for name in FILES:
        shutil.copy(generator.FOLDER / name, tmp_path)
    before = json.loads(checked_in("instances.json"))
    before["types"]["p5.48xlarge"]["vcpu"] = 1
    (tmp_path / "instances.json").write_text(json.dumps(before))
    with generator.clients(REGION) as (ec2, pricing), Stubber(pricing) as stubber:
        answer = [
            product("p5.48xlarge", "50.0000000000"),
            product("p5e.48xlarge", "0.0000000000"),
            product("a1.large", "1"),
        ]
        wanted = {"ServiceCode": "AmazonEC2", "Filters": PRICE_FILTERS}
        stubber.add_response("get_products", {"PriceList": answer[:1], "NextToken": "2"}, wanted)
        stubber.add_response("get_products", {"PriceList": answer[1:]}, {**wanted, "NextToken": "2"})
        files = generator.asked(REGION, TODAY, ec2, pricing, tmp_path)
        stubber.assert_no_pending_responses()
    instances, offerings, prices = (json.loads(files[name]) for name in FILES)
    recorded = {name: json.loads(text) for name, text in generator.recorded().items()}
    assert instances["types"] == recorded["instances.json"]["types"]
    assert offerings["regions"] == recorded["offerings.json"]["regions"]
    assert instances["live"] == offerings["live"] == {REGION: TODAY}
    assert instances["date"] == before["date"]
    assert prices["regions"][REGION] == {
        "source": generator.PRICES_SOURCE,
        "date": TODAY,
        "hourly": {"p5.48xlarge": 50.0},
    }
    assert prices["regions"]["us-east-1"] == json.loads(checked_in("prices.json"))["regions"]["us-east-1"]
    assert set(generator.write(files, tmp_path)) == set(FILES)
    assert generator.write(files, tmp_path) == []
    merged = catalog.parse(instances, json.loads(checked_in("by_hand.json")), offerings, prices)
    assert merged.price("p5.48xlarge", REGION) == catalog.Price(50.0, REGION, TODAY)
    assert merged.prices.date == "2026-07-20"


def test_what_aws_refuses_is_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with (
        pytest.raises(Problem, match="AWS can't be asked about us-west-2: Unable to locate credentials"),
        generator.clients(REGION) as (ec2, pricing),
    ):
        generator.asked(REGION, TODAY, ec2, pricing)
