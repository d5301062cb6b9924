//! What a store promises: each story is told once and runs on every backend.

mod accounts;
#[path = "../support/backend.rs"]
mod backend;
mod counting;
mod events;
mod holds;
mod imports;
mod kiosks;
mod links;
mod passports;
mod planning;
mod recipients;
mod repeats;
mod reservations;
mod reserving;
mod resets;
mod resetting;
mod shop;
mod transfers;
mod users;

/// Makes a test of each story on a backend. After a story the database has to agree with itself.
macro_rules! tell {
    ($backend:ident: $($module:ident::$story:ident,)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn $story() {
            let shop = std::sync::Arc::new(crate::shop::Shop::$backend().await);
            crate::$module::$story(&shop).await;
            shop.agrees_with_itself().await;
        })*
    };
}

/// What every backend promises.
macro_rules! contract {
    ($($stories:tt)*) => {
        mod sqlite {
            tell! { sqlite: $($stories)* }
        }

        mod postgres {
            tell! { postgres: $($stories)* }
        }
    };
}

/// What a file promises besides.
mod sqlite_file {
    tell! { sqlite: recipients::no_name_is_left_in_the_file, }
}

/// What many servers at one database, and its planner, need besides.
mod postgres_servers {
    tell! {
        postgres:
        counting::a_tally_that_is_wrong_is_found,
        events::nobody_reads_past_a_number_whose_row_is_still_to_come,
        events::a_number_that_was_taken_in_vain_holds_nobody_up,
        events::a_moment_is_found_in_a_long_journal,
        planning::the_planner_is_told_of_an_import,
        planning::most_hand_outs_write_into_no_index_of_the_passports,
        planning::a_database_of_rows_gets_blocks,
    }
}

contract! {
    counting::sums_agree_while_passports_come_and_go,
    reserving::racers_never_share_a_passport,
    reserving::a_shortage_takes_nothing,
    reserving::a_partial_wish_takes_what_is_there,
    reserving::where_two_large_tags_meet_is_found_at_once_also_when_nothing_is_left,
    planning::a_pool_that_was_empty_is_found_as_fast_when_it_is_full,
    planning::one_of_two_tags_is_found_as_fast_where_they_are_large,
    reserving::no_false_shortage,
    reserving::tags_pick_as_a_plain_model_says,
    reserving::a_count_out_of_range_is_refused,
    reserving::an_imported_code_is_used_once,
    reserving::a_printed_code_is_passed_over,
    reserving::passports_of_one_wish_are_found_as_they_were_told,
    reserving::many_of_one_wish_are_found_as_they_were_told,
    reserving::a_passport_is_handed_out_as_it_is_by_then,
    reserving::content_comes_back_as_it_was_given,
    repeats::a_repeat_gets_the_first_answer,
    repeats::a_key_with_other_parameters_is_refused,
    repeats::a_reset_ends_the_repeats,
    repeats::the_end_of_a_hold_ends_the_repeats,
    repeats::a_refusal_is_not_recorded,
    repeats::a_forgotten_key_is_new,
    repeats::callers_with_one_key_share_one_reservation,
    holds::a_hold_ends_exactly_at_its_end,
    holds::ended_holds_count_as_available_before_anybody_ended_them,
    holds::many_whose_holds_have_ended_are_handed_out_in_one_call,
    holds::the_worker_ends_what_is_due_and_no_more,
    holds::an_end_in_the_past_is_refused,
    resetting::a_reset_passport_keeps_its_place_and_gets_another_link,
    resetting::a_reset_means_its_tags_its_state_and_its_age,
    resetting::a_large_reset_is_whole,
    resetting::what_is_previewed_is_what_is_reset,
    resetting::named_passports_are_reset_all_or_none,
    imports::an_import_is_seen_when_it_is_published_and_not_before,
    imports::a_dropped_import_leaves_nothing,
    imports::an_import_that_lost_its_process_is_swept,
    imports::ids_that_are_used_and_ids_that_are_doubled_are_told_apart,
    imports::known_ids_are_passed_over_if_asked,
    imports::there_is_one_import_at_a_time,
    imports::a_few_are_made_while_an_import_runs,
    imports::an_export_shows_what_matches,
    links::the_first_look_of_a_person_is_a_scan,
    links::a_robots_looks_change_nothing_and_are_told_once_an_hour,
    links::every_dead_link_is_refused_alike,
    links::who_claims_first_owns_it,
    links::a_page_left_open_from_before_a_reset_claims_nothing,
    links::a_claim_and_a_reset_at_once_have_one_winner,
    links::a_printed_code_leaves_the_pool_when_it_is_opened,
    links::a_recovered_passport_waits_for_a_reset_by_name,
    links::a_withdrawn_passport_is_out_for_good,
    links::a_new_link_kills_the_old_one_and_takes_the_passport_out_of_the_pool,
    transfers::a_transfer_is_pending_until_it_is_settled,
    transfers::what_is_not_settled_in_time_has_failed,
    transfers::an_overdue_transfer_is_picked_reset_and_claimed_as_what_it_counts_for,
    transfers::an_overdue_transfer_is_reset_and_comes_back_as_what_it_counted_for,
    transfers::a_transfer_that_cannot_be_says_why,
    transfers::many_are_settled_in_slices,
    transfers::an_airdrop_reaches_all_or_none,
    kiosks::two_hundred_visitors_and_150_passports,
    kiosks::a_visitor_gets_the_same_passport_and_after_a_claim_no_other,
    kiosks::a_wallet_claims_one_passport_of_a_kiosk,
    kiosks::a_kiosk_may_give_each_visitor_more_than_one,
    kiosks::a_tag_opens_only_what_a_kiosk_names,
    kiosks::a_kiosk_gives_during_its_hours,
    kiosks::one_address_holds_no_more_than_it_may,
    kiosks::a_reset_by_tags_leaves_a_visitor_the_passport_in_hand,
    kiosks::a_reset_forgets_the_visit,
    kiosks::an_undone_reset_gives_a_visitor_the_passport_back,
    kiosks::a_visitors_hold_that_ended_meanwhile_stays_ended,
    kiosks::a_visitor_who_was_given_another_meanwhile_claims_one,
    kiosks::kiosks_are_listed_with_what_became_of_them,
    users::a_key_opens_until_it_is_renewed_or_its_user_removed,
    users::the_last_admin_stays,
    users::link_settings_are_kept,
    reservations::each_recipient_gets_a_passport_in_order,
    reservations::a_partial_answer_leaves_out_the_last_recipients,
    reservations::a_repeat_names_the_same_recipients,
    reservations::four_want_fifty_of_120,
    reservations::reservations_are_listed_the_newest_first,
    reservations::links_are_shown_page_by_page_and_each_is_told,
    reservations::somebody_elses_link_is_not_shown,
    reservations::a_cancel_gives_back_what_nobody_has_claimed,
    reservations::an_extension_moves_the_end,
    resets::a_thousand_previewed_reset_and_undone,
    resets::all_that_a_reset_took_comes_back,
    resets::a_hold_that_ended_meanwhile_stays_ended,
    resets::a_link_that_lives_again_dies_with_the_next_reset_and_lives_again_with_its_undo,
    resets::an_undone_reset_knows_nothing_of_an_extension_meanwhile,
    resets::a_large_undo_is_whole,
    resets::a_look_at_a_link_is_no_change,
    resets::a_reset_means_every_condition,
    resets::a_recovered_passport_is_reset_by_its_name_and_the_undo_takes_it_back,
    resets::a_preview_is_read_page_by_page_and_forgotten,
    resets::what_a_reset_took_is_kept_for_a_day,
    resets::an_undo_takes_passports_out_of_the_pool_again,
    passports::a_list_is_of_what_matches,
    passports::a_list_is_stable_while_passports_are_made,
    passports::a_list_of_changes_misses_nothing,
    passports::a_list_is_of_one_persons_passports,
    passports::one_passport_is_shown_whole,
    passports::tags_move_with_the_counts_and_the_pool,
    passports::neighbours_change_their_tags_at_once,
    passports::a_change_names_the_version_that_was_seen,
    passports::pools_are_listed_by_name,
    recipients::recipients_are_listed_and_erased,
    recipients::recipients_are_forgotten_when_their_last_passport_has_left_for_long,
    events::events_are_read_by_what_they_are_about,
    events::whoever_reads_on_misses_nothing_of_an_import,
    accounts::users_share_a_profile,
    accounts::a_user_who_was_refused_leaves_nothing,
    accounts::the_last_admin_keeps_the_right,
    accounts::nobody_touches_a_right_that_they_do_not_have,
    accounts::an_old_key_is_good_for_a_while,
    accounts::a_user_has_several_keys,
    accounts::the_last_use_of_a_key_is_known_to_the_minute,
}
