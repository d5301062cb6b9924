//! The answer to a wish for many passports. Its links are nearly all of it, and each core writes a part of them.

use std::{num::NonZero, thread};

use passpool_core::{HandedOut, Recipient, Recipients, Reservation, UnsealError};

use super::{MadeReservation, Reserved};
use crate::{
    app::App,
    handout::{Handout, HandoutFormat},
};

/// How many links are worth a thread: they take some milliseconds.
const WORTH_A_THREAD: usize = 4_096;
/// About how many bytes a link has behind its base, with what stands around it.
const BEHIND_THE_BASE: usize = 96;

/// The body of the answer, a [`MadeReservation`] in JSON.
pub(super) fn body(
    app: &App,
    reservation: &Reservation,
    recipients: Option<&Recipients>,
    format: HandoutFormat,
) -> Result<Vec<u8>, UnsealError> {
    let id = reservation.id.expect("a reservation that is kept has a name").to_string();
    let handed_out = &reservation.handed_out;
    let around = MadeReservation { id, count: handed_out.len(), links: Vec::new() };
    let mut body = Vec::with_capacity(BEHIND_THE_BASE + handed_out.len() * bytes_of_a_link(app));
    serde_json::to_writer(&mut body, &around).expect("an answer is JSON");
    let end = body.split_off(body.len() - "]}".len());
    let recipients = recipients.map_or(&[][..], Recipients::as_slice);
    let parts = handed_out.chunks(part(handed_out.len())).scan(recipients, |recipients, handed_out| {
        // Of a partial answer the last ones have none.
        let (own, rest) = recipients.split_at(recipients.len().min(handed_out.len()));
        *recipients = rest;
        Some(Part { app, format, handed_out, recipients: own })
    });
    write_each(parts, &mut body)?;
    body.extend(end);
    Ok(body)
}

/// How many of so many links a thread writes.
fn part(links: usize) -> usize {
    match links.div_ceil(WORTH_A_THREAD) {
        0 | 1 => WORTH_A_THREAD,
        threads => links.div_ceil(thread::available_parallelism().map_or(1, NonZero::get).min(threads)),
    }
}

/// Writes the parts one behind the other, the first in this thread and the others beside it.
fn write_each<'a>(mut parts: impl Iterator<Item = Part<'a>>, body: &mut Vec<u8>) -> Result<(), UnsealError> {
    let Some(first) = parts.next() else { return Ok(()) };
    thread::scope(|scope| {
        let others: Vec<_> = parts.map(|part| scope.spawn(move || part.written())).collect();
        first.write(body)?;
        for other in others {
            body.push(b',');
            body.extend(other.join().expect("writing links does not panic")?);
        }
        Ok(())
    })
}

/// Some of the hand-outs, and for whom the first of them are.
struct Part<'a> {
    app: &'a App,
    format: HandoutFormat,
    handed_out: &'a [HandedOut],
    recipients: &'a [Recipient],
}

impl Part<'_> {
    fn written(self) -> Result<Vec<u8>, UnsealError> {
        let mut text = Vec::with_capacity(self.handed_out.len() * bytes_of_a_link(self.app));
        self.write(&mut text)?;
        Ok(text)
    }

    /// Writes what stands between the brackets of a list.
    fn write(&self, text: &mut Vec<u8>) -> Result<(), UnsealError> {
        let recipients = self.recipients.iter().map(Some).chain(std::iter::repeat(None));
        for (place, (handed, recipient)) in self.handed_out.iter().zip(recipients).enumerate() {
            if place > 0 {
                text.push(b',');
            }
            let handout = Handout::new(handed, &self.app.secret, &self.app.links)?;
            let link = Reserved::of(&handout, self.format, recipient);
            serde_json::to_writer(&mut *text, &link).expect("an answer is JSON");
        }
        Ok(())
    }
}

fn bytes_of_a_link(app: &App) -> usize {
    app.links.base.as_str().len() + BEHIND_THE_BASE
}
