"""Where each known issue of neighbouring systems is tested here, or why it can't occur.

The families: A paths on the server, B what a server or colleague can do to a client, C requests made by the server,
D pages and sniffing, E other sites' pages and names of hosts, F who may do what, G too much of something, H bytes and
names that deceive, I what nobody tests.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent
COUNTS = {"A": 12, "B": 12, "C": 5, "D": 8, "E": 5, "F": 10, "G": 8, "H": 6, "I": 5}

# Files and the tests in them; `-` begins a reason why there is nothing to test.
SECURITY_ITEMS: dict[str, list[str]] = {
    "A1": ["security/test_paths.py::test_a1_a2_a3_a5_no_text_in_any_parameter_leads_out_of_the_store"],
    "A2": [
        "security/test_paths.py::test_a1_a2_a3_a5_no_text_in_any_parameter_leads_out_of_the_store",
        "core/test_names.py::test_a_path_that_leads_elsewhere_is_refused",
        "storage/test_manifest.py::test_a_manifest_with_a_path_that_leads_elsewhere_is_refused",
        "contract/test_artifacts.py::test_a_manifest_with_a_hostile_path_is_refused_at_log",
    ],
    "A3": ["security/test_paths.py::test_a1_a2_a3_a5_no_text_in_any_parameter_leads_out_of_the_store"],
    "A4": ["security/test_paths.py::test_a4_a9_paths_are_decoded_once_and_lead_nowhere"],
    "A5": [
        "security/test_paths.py::test_a1_a2_a3_a5_no_text_in_any_parameter_leads_out_of_the_store",
        "api/test_gate.py::test_what_is_like_a_free_path_is_not_free",
    ],
    "A6": ["security/test_places.py::test_a6_c2_the_server_goes_to_no_place_that_a_client_named"],
    "A7": [
        "security/test_paths.py::test_a7_h4_what_is_more_than_a_name_is_the_name_of_nothing",
        "security/test_paths.py::test_a7_names_that_some_systems_keep_for_devices_are_rows_and_no_files",
        "core/test_names.py::test_a_name_that_could_be_read_as_more_is_refused",
    ],
    "A8": [
        "security/test_paths.py::test_a8_a_link_in_the_store_is_not_followed_by_a_request",
        "storage/test_blobs.py::test_links_in_the_store_are_not_followed_when_it_is_listed",
        "storage/test_sources.py::test_links_that_lead_out_are_refused",
    ],
    "A9": ["security/test_paths.py::test_a4_a9_paths_are_decoded_once_and_lead_nowhere"],
    "A10": [
        "backend/test_archive.py::test_what_lineal_never_writes_is_refused",
        "backend/test_archive.py::test_keys_are_those_that_stores_give",
        "backend/test_restore.py::test_a_backup_made_by_hand_is_refused_with_nothing_written",
    ],
    "A11": ["- there are no locks or files by name on the server: deletes are by digest and row, see A4"],
    "A12": [
        "test_house.py::test_nothing_unpickles_evaluates_or_asks_a_shell",
        "security/test_paths.py::test_a1_a2_a3_a5_no_text_in_any_parameter_leads_out_of_the_store",
        "client/test_reproduce.py::test_the_script_does_the_same_and_nothing_else_whatever_is_on_record",
        "client/test_command.py::test_a_program_gets_the_words_as_they_are",
    ],
    "B1": [
        "storage/test_manifest.py::test_a_manifest_with_a_path_that_leads_elsewhere_is_refused",
        "core/test_names.py::test_a_path_let_in_stays_below_where_it_is_joined",
    ],
    "B2": [
        "storage/test_pull.py::test_a_version_is_written_whole_and_nothing_else",
        "backend/test_remote.py::test_an_answer_of_another_kind_than_declared_is_told_as_such",
    ],
    "B3": [
        "backend/test_archive.py::test_bombs_and_what_is_not_whole_are_refused",
        "storage/test_header_arrays.py::test_a_zip_bomb_is_not_unpacked",
    ],
    "B4": [
        "storage/test_pull.py::test_a_link_where_a_folder_belongs_is_refused_and_nothing_is_written_behind_it",
        "storage/test_pull.py::test_a_link_where_a_file_belongs_is_replaced_and_not_followed",
        "storage/test_pull.py::test_two_processes_pull_into_one_folder_at_once",
    ],
    "B5": [
        "test_house.py::test_nothing_unpickles_evaluates_or_asks_a_shell",
        "storage/test_header_arrays.py::test_a_pickle_inside_is_named_and_never_opened",
    ],
    "B6": ["lineage/test_audit_page.py::test_hostile_texts_in_every_place_stay_texts"],
    "B7": [
        "storage/test_pull.py::test_a_damaged_blob_is_told_by_its_file_and_leaves_nothing_wrong",
        "storage/test_pull.py::test_damage_in_a_store_elsewhere_is_told_by_its_file_and_leaves_nothing_wrong",
        "client/test_serving.py::test_a_tampered_cached_file_is_repaired",
    ],
    "B8": [
        "storage/test_cache.py::test_the_cache_is_its_owners_alone",
        "storage/test_blobs.py::test_an_object_half_written_is_the_owners_alone_and_told_apart",
        "backend/test_archive.py::test_any_tar_program_reads_it_and_only_its_owner_may",
    ],
    "B9": [
        "client/test_serving.py::test_a_tampered_cached_file_is_not_served_when_the_store_is_away",
        "storage/test_cache.py::test_a_damaged_manifest_of_a_tree_is_not_believed",
    ],
    "B10": [
        "security/test_secrets.py::test_b10_no_secret_is_in_any_log_row_or_file_of_a_whole_session",
        "journeys/test_server.py::test_the_log_has_one_line_for_each_request_and_no_secret",
        "access/test_keys.py::test_the_database_never_has_a_secret",
        "backend/test_presigned.py::test_it_ends_at_last_and_tells_nobody_the_url",
    ],
    "B11": ["storage/test_references.py::test_a_uri_that_carries_a_secret_is_refused_and_not_repeated"],
    "B12": [
        "backend/test_remote.py::test_b12_another_server_never_sees_the_key",
        "backend/test_remote.py::test_a_redirect_is_not_followed",
        "backend/test_presigned.py::test_a_redirect_is_not_followed",
        "backend/test_remote_uploads.py::test_no_key_of_ours_and_nothing_of_the_server_reaches_the_s3",
    ],
    "C1": ["- no request is made by the server but to its database, its store and the provider its operator named"],
    "C2": ["security/test_places.py::test_a6_c2_the_server_goes_to_no_place_that_a_client_named"],
    "C3": ["- no field of a request is an address that the server asks; see C2 for every way to name one"],
    "C4": [
        "cli/test_server.py::test_a_store_without_users_is_served_to_this_machine_only",
        "core/test_settings.py::test_a_server_listens_to_this_machine_unless_told_otherwise",
    ],
    "C5": ["lineage/test_audit_page.py::test_the_page_asks_no_one_for_anything"],
    "D1": ["security/test_answers.py::test_d1_d7_no_answer_repeats_what_was_asked_as_a_page_or_may_be_framed"],
    "D2": [
        "lineage/test_audit_page.py::test_hostile_texts_in_every_place_stay_texts",
        "api/test_schema.py::test_what_the_page_shows_is_escaped",
    ],
    "D3": ["security/test_answers.py::test_d3_a_file_that_others_logged_is_never_a_page_of_this_server"],
    "D4": [
        "security/test_load.py::test_g1_g3_pages_depths_and_patterns_are_bounded",
        "test_house.py::test_nothing_unpickles_evaluates_or_asks_a_shell",
    ],
    "D5": ["- the server renders no Markdown; the audit page, its one page of users' texts, escapes them: D2"],
    "D6": ["- the server shows no charts; what is logged comes back as bytes that no page of its origin runs: D3"],
    "D7": ["security/test_answers.py::test_d1_d7_no_answer_repeats_what_was_asked_as_a_page_or_may_be_framed"],
    "D8": ["- the server answers with JSON, no CSV; `lineal run export` writes values for programs, as they are"],
    "E1": [
        "api/test_outer.py::test_a_name_that_is_not_the_servers_is_refused_with_a_way_out",
        "journeys/test_server.py::test_with_users_it_may_listen_to_others_by_its_name",
    ],
    "E2": [
        "api/test_gate.py::test_e2_another_sites_page_changes_nothing_on_an_open_server",
        "api/test_gate.py::test_e2_what_forms_send_is_refused_from_anywhere",
        "api/test_signing_in.py::test_e2_what_a_session_changes_needs_its_own_token",
    ],
    "E3": ["api/test_gate.py::test_e3_no_other_origin_may_read_an_answer"],
    "E4": ["api/test_caller.py::test_e4_the_address_is_the_peers_whatever_the_request_says"],
    "E5": [
        "api/test_gate.py::test_e5_there_is_no_web_socket",
        "api/test_gate.py::test_a_stream_of_events_wants_to_know_who_asks_too",
    ],
    "F1": [
        "api/test_signing_in.py::test_f1_a_new_server_has_no_password_at_all",
        "api/test_signing_in.py::test_f1_the_set_up_token_makes_the_first_admin_once",
    ],
    "F2": [
        "api/test_gate.py::test_f2_every_route_but_those_that_are_free_wants_to_know_who_asks",
        "security/test_census.py::test_f2_routes_of_a_whole_server_are_closed_to_nobody_but_a_few",
    ],
    "F3": [
        "security/test_roles.py::test_f3_what_stands_for_many_asks_for_each_of_them",
        "security/test_roles.py::test_f3_a_key_that_may_not_write_sends_no_bytes_and_no_batch",
        "contract/test_guard.py::test_a_role_may_do_what_it_holds_and_nothing_else",
    ],
    "F4": ["- nothing acts for others: there are no automations, and a run's processes use keys of their own"],
    "F5": [
        "storage/test_s3_bucket.py::test_a_signed_request_expires",
        "storage/test_s3_bucket.py::test_a_signed_put_is_for_its_own_key_and_method",
        "storage/test_s3_bucket.py::test_other_bytes_than_were_signed_are_refused",
        "api/test_grants.py::test_leave_to_send_ends",
        "api/test_grants.py::test_a_span_is_read_as_it_was_signed_and_not_otherwise",
    ],
    "F6": [
        "security/test_roles.py::test_f6_bytes_are_told_and_given_only_to_those_who_may_read_them",
        "contract/test_guard.py::test_a_blob_that_others_hold_is_missing_until_it_was_sent",
        "contract/test_granting.py::test_leave_to_send_tells_nothing_of_what_others_have",
        "contract/test_granting.py::test_leave_to_read_is_for_what_the_caller_may_know_of",
    ],
    "F7": ["contract/test_guard.py::test_a_graph_shows_what_is_private_as_nodes_without_names"],
    "F8": [
        "api/test_signing_in.py::test_f8_a_name_that_nobody_has_is_refused_in_the_same_words_and_time",
        "api/test_signing_in.py::test_f8_five_wrong_passwords_are_enough_for_a_while",
        "api/test_caller.py::test_f8_a_revoked_key_and_a_disabled_user_are_out_at_once",
    ],
    "F9": ["api/test_caller.py::test_f9_a_name_in_a_header_is_nobody"],
    "F10": ["contract/test_guard.py::test_no_way_leads_past_a_protected_alias"],
    "G1": ["security/test_load.py::test_g1_g3_pages_depths_and_patterns_are_bounded"],
    "G2": [
        "security/test_load.py::test_g2_a_million_parameters_and_large_metadata_are_refused",
        "security/test_load.py::test_g2_numbers_beyond_all_measure_are_values_or_refused",
        "security/test_load.py::test_g2_what_is_packed_is_not_unpacked",
        "security/test_load.py::test_g2_names_of_a_megabyte_and_steps_beyond_all_are_refused_in_a_batch",
        "api/test_bounds.py::test_deep_json_is_refused_wherever_it_stands",
        "api/test_bounds.py::test_a_body_that_stalls_is_given_up",
        "api/test_protocol.py::test_a_head_without_end_is_refused",
        "storage/test_limits.py::test_a_manifest_of_a_million_entries_is_read_back",
    ],
    "G3": ["security/test_load.py::test_g1_g3_pages_depths_and_patterns_are_bounded"],
    "G4": [
        "contract/test_lineage.py::test_a_ring_is_walked_once",
        "lineage/test_audit_page.py::test_a_graph_that_comes_round_or_is_very_deep_ends",
    ],
    "G5": ["client/media/test_image.py::test_an_image_too_large_to_show_is_refused"],
    "G6": [
        "storage/test_s3_bucket.py::test_an_upload_that_nobody_ended_is_listed_by_age_and_dropped",
        "storage/test_s3.py::test_an_upload_under_way_is_listed_as_half_written_and_dropped_by_its_key",
        "journeys/test_server_faults.py"
        "::test_a_client_that_is_killed_amid_an_upload_leaves_nothing_but_garbage_and_the_next_one_ends_it",
    ],
    "G7": [
        "journeys/test_concurrency.py::test_two_gcs_at_once_harm_nobody",
        "journeys/test_concurrency.py::test_gc_in_a_loop_beside_writers_and_a_reader_harms_nobody",
        "journeys/test_clock_skew.py::test_a_server_an_hour_ahead_collects_nothing_that_is_on_its_way_now",
    ],
    "G8": ["security/test_injection.py::test_g8_no_text_in_any_parameter_is_taken_for_sql"],
    "H1": [
        "api/test_objects.py::test_other_bytes_than_the_key_says_are_refused_and_leave_nothing",
        "api/test_grants.py::test_another_object_in_the_granted_place_is_refused_and_dropped",
        "storage/test_s3_bucket.py::test_a_key_is_taken_once_and_the_same_bytes_again_are_the_same_act",
    ],
    "H2": ["contract/test_artifacts.py::test_a_pinned_handle_does_not_change_under_a_promotion"],
    "H3": ["- whoever may write the database is beyond the store's rules (decision 13); the record is not signed"],
    "H4": [
        "security/test_paths.py::test_a7_h4_what_is_more_than_a_name_is_the_name_of_nothing",
        "core/test_names.py::test_a_name_let_in_is_ascii_without_separators",
    ],
    "H5": ["client/capture/test_git.py::test_no_password_of_a_remote_is_ever_recorded"],
    "H6": ["- issues of the packages we use, to be looked up with pip-audit where the network can be reached"],
    "I1": [
        "core/test_names.py::test_a_prefix_holds_whole_segments",
        "client/test_artifact_files.py::test_a_path_prefix_picks_whole_segments",
    ],
    "I2": ["contract/test_artifacts.py::test_a_version_in_use_is_not_deleted"],
    "I3": ["contract/test_guard.py::test_writers_move_no_alias_unless_a_rule_lets_them"],
    "I4": ["storage/test_pull.py::test_a_tampered_file_is_repaired_though_its_size_and_time_are_right"],
    "I5": ["- there is no receiver of webhooks; repeated requests are the same act: api/test_repeated.py"],
}


@cache
def source(file: str) -> str:
    return (TESTS / file).read_text()


def test_every_item_is_tested_or_has_a_reason() -> None:
    assert SECURITY_ITEMS.keys() == {f"{letter}{n}" for letter, last in COUNTS.items() for n in range(1, last + 1)}
    assert all(SECURITY_ITEMS.values())


@pytest.mark.parametrize("item", SECURITY_ITEMS)
def test_the_tests_of_an_item_are_there(item: str) -> None:
    for place in SECURITY_ITEMS[item]:
        if place.startswith("- "):
            assert len(place) > 40, "a reason says why"
            continue
        file, _, name = place.partition("::")
        assert re.search(rf"^def {name}\(", source(file), re.M), place
