"""Profiles on the wire: the dictionary's rules, and no byte lost."""

from opentelemetry.proto.collector.profiles.v1development.profiles_service_pb2 import (
    ExportProfilesServiceRequest,
)

from memwarden_api import names
from memwarden_sidecar.export import profiles
from memwarden_sidecar.export.resources import ScopeIdentity
from memwarden_sidecar.observation import ProcessIdentity
from memwarden_sidecar.sources.probe_table import Bucket, Site
from memwarden_sidecar.sources.proc_files import ProcessKey

SCOPE = ScopeIdentity(id="s", service="app", host="h", command_line="app", interval=1.0)
PROCESS = ProcessIdentity(
    key=ProcessKey(7, 1),
    parent_pid=1,
    created=1.5,
    command_line="app \udcff",
    executable="/bin/app",
    runtime="cpython",
    runtime_version="3.11.7",
    hooked=True,
    reason="",
    library_prefixes=("/usr/lib",),
)
NONE = Bucket(0.0, 0.0, 0)


def buckets(**filled):
    return tuple(filled.get(f"b{age}", NONE) for age in range(10))


def site(*frames, inherited=(), **filled):
    return Site(frames=frames, own=buckets(**filled), inherited=inherited)


LEAF = ("/srv/app.py", "leak", 10)
CALLER = ("/srv/app.py", "main", 99)


def encode(sites, with_inherited=False):
    body = profiles.encode(SCOPE, PROCESS, 1000.25, 512, sites, with_inherited=with_inherited)
    return ExportProfilesServiceRequest.FromString(body)


def rows_of(request, name):
    """{(frames, age): value} of the profile of this type."""
    d = request.dictionary
    text = d.string_table
    for profile in request.resource_profiles[0].scope_profiles[0].profiles:
        if text[profile.sample_type.type_strindex] != name:
            continue
        rows = {}
        for sample in profile.samples:
            frames = []
            for index in d.stack_table[sample.stack_index].location_indices:
                line = d.location_table[index].lines[0]
                function = d.function_table[line.function_index]
                frames.append((text[function.filename_strindex], text[function.name_strindex], line.line))
            (attribute,) = (d.attribute_table[index] for index in sample.attribute_indices)
            assert text[attribute.key_strindex] == names.PROFILE_AGE
            rows[tuple(frames), attribute.value.string_value] = sample.values[0]
        return rows
    raise AssertionError(name)


def test_three_profiles_share_one_dictionary():
    request = encode(
        [
            site(LEAF, CALLER, b0=Bucket(1000.4, 10.6, 2), b9=Bucket(50.0, 1.0, 1)),
            site(CALLER, b3=Bucket(7.0, 1.0, 1)),
            site(b1=Bucket(3.0, 1.0, 1)),
        ]
    )
    assert rows_of(request, names.PROFILE_SPACE) == {
        ((LEAF, CALLER), "1"): 1000,
        ((LEAF, CALLER), "inf"): 50,
        ((CALLER,), "10"): 7,
        ((), "2"): 3,
    }
    assert rows_of(request, names.PROFILE_BLOCKS)[(LEAF, CALLER), "1"] == 11
    assert sum(rows_of(request, names.PROFILE_SAMPLES).values()) == 5
    profile = request.resource_profiles[0].scope_profiles[0].profiles[0]
    assert (profile.period, profile.time_unix_nano) == (512, 1_000_250_000_000)


def test_entry_zero_of_each_table_is_empty_and_nothing_stands_twice():
    request = encode([site(LEAF, CALLER, b0=Bucket(1.0, 1.0, 1)), site(CALLER, LEAF, b0=Bucket(1.0, 1.0, 1))])
    d = request.dictionary
    tables = (
        *(d.mapping_table, d.location_table, d.function_table, d.link_table),
        *(d.attribute_table, d.stack_table),
    )
    for table in tables:
        assert table[0] == type(table[0])()
        entries = [entry.SerializeToString() for entry in table]
        assert len(entries) == len(set(entries))
    assert d.string_table[0] == ""
    assert len(d.string_table) == len(set(d.string_table))
    assert (len(d.function_table), len(d.location_table), len(d.stack_table)) == (3, 3, 3)


def test_what_was_inherited_counts_only_when_it_is_to():
    inherited = buckets(b0=Bucket(5.0, 1.0, 1), b8=Bucket(100.0, 2.0, 3))
    sites = [site(LEAF, b0=Bucket(10.0, 1.0, 1), inherited=inherited), site(CALLER, inherited=inherited)]
    assert rows_of(encode(sites), names.PROFILE_SPACE) == {((LEAF,), "1"): 10}
    assert rows_of(encode(sites, with_inherited=True), names.PROFILE_SPACE) == {
        ((LEAF,), "1"): 15,
        ((LEAF,), "3600"): 100,
        ((CALLER,), "1"): 5,
        ((CALLER,), "3600"): 100,
    }


def test_the_smallest_sites_of_a_huge_profile_are_summed():
    many = [site(("/f.py", f"f{i}", i), b0=Bucket(float(i), 1.0, 1)) for i in range(1, 31_001)]
    rows = rows_of(encode(many), names.PROFILE_SPACE)
    assert len(rows) <= profiles.PROFILE_ROWS
    assert sum(rows.values()) == sum(range(1, 31_001))
    assert rows[(("/f.py", "f31000", 31000),), "1"] == 31000
    assert rows[(profiles.REST,), "1"] == sum(range(1, 31_000 - (profiles.PROFILE_ROWS - 10) + 1))


def test_file_names_that_are_no_unicode_are_sent():
    request = encode([site(("/srv/\udcff.py", "f\udc80", 1), b0=Bucket(1.0, 1.0, 1))])
    ((frames, _),) = rows_of(request, names.PROFILE_SPACE)
    assert frames == (("/srv/?.py", "f?", 1),)
