//! What a store promises: each story is told once and runs on every backend.

#[path = "../support/backend.rs"]
mod backend;
mod holds;
mod imports;
mod kiosks;
mod links;
mod repeats;
mod reserving;
mod resetting;
mod shop;
mod transfers;
mod users;

/// Makes a test of each story for each backend. After a story the database has to agree with itself.
macro_rules! contract {
    ($($module:ident::$story:ident,)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $story() {
                let shop = crate::shop::Shop::sqlite().await;
                crate::$module::$story(&shop).await;
                shop.agrees_with_itself().await;
            })*
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $story() {
                let shop = crate::shop::Shop::postgres().await;
                crate::$module::$story(&shop).await;
                shop.agrees_with_itself().await;
            })*
        }
    };
}

contract! {
    reserving::racers_never_share_a_passport,
    reserving::a_shortage_takes_nothing,
    reserving::a_partial_wish_takes_what_is_there,
    reserving::no_false_shortage,
    reserving::tags_pick_as_a_plain_model_says,
    reserving::a_count_out_of_range_is_refused,
    reserving::an_imported_code_is_used_once,
    reserving::a_printed_code_is_passed_over,
    reserving::content_comes_back_as_it_was_given,
    repeats::a_repeat_gets_the_first_answer,
    repeats::a_key_with_other_parameters_is_refused,
    repeats::a_reset_ends_the_repeats,
    repeats::the_end_of_a_hold_ends_the_repeats,
    repeats::a_refusal_is_not_recorded,
    repeats::a_forgotten_key_is_new,
    holds::a_hold_ends_exactly_at_its_end,
    holds::ended_holds_count_as_available_before_anybody_ended_them,
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
    kiosks::a_reset_forgets_the_visit,
    kiosks::kiosks_are_listed_with_what_became_of_them,
    users::a_key_opens_until_it_is_renewed_or_its_user_removed,
    users::the_last_admin_stays,
    users::link_settings_are_kept,
}
