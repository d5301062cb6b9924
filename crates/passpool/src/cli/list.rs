//! Long lists: read from the store a page at a time, and printed as they come.

/// How many entries are read at once: what is read well below 20 ms, so that a server beside it does not wait.
const PAGE: usize = 1_000;

/// How a long list is printed.
#[derive(Debug, clap::Args)]
pub(super) struct ListFlags {
    /// At most so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Print JSON: an object a line
    #[arg(long)]
    pub(super) json: bool,
}

impl ListFlags {
    pub(super) const fn room(&self) -> Room {
        Room(self.limit)
    }
}

/// How many entries may still be printed. None means all that there are.
pub(super) struct Room(Option<u64>);

impl Room {
    /// How many the next page may have: none if the list is long enough.
    pub(super) fn page(&self) -> Option<usize> {
        let page = self.0.map_or(PAGE, |left| usize::try_from(left).map_or(PAGE, |left| left.min(PAGE)));
        (page > 0).then_some(page)
    }

    /// Tells that so many were printed.
    pub(super) fn take(&mut self, printed: usize) {
        self.0 = self.0.map(|left| left - printed as u64);
    }
}

/// A text, or a dash where there is none.
pub(super) fn or_dash(text: Option<&str>) -> &str {
    text.unwrap_or("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_no_larger_than_what_is_left() {
        let check = |limit: Option<u64>, printed: usize, expected: Option<usize>| {
            let mut room = Room(limit);
            room.take(printed);
            assert_eq!(room.page(), expected, "{printed} of {limit:?}");
        };
        check(None, 5_000, Some(PAGE));
        check(Some(2_500), 0, Some(PAGE));
        check(Some(2_500), 2_000, Some(500));
        check(Some(2_500), 2_500, None);
        check(Some(u64::MAX), 0, Some(PAGE));
    }
}
